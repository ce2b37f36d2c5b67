//! Why a message was not taken, in the words of TiCDC's client library.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What is wrong, in words.
pub(super) fn reason(error: &KafkaError) -> String {
    let known = match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            "Request was for a topic or partition that does not exist on this broker"
        }
        Some(Code::MessageSizeTooLarge) => {
            "Message was too large, server rejected it to avoid allocation error"
        }
        Some(Code::NotEnoughReplicas) => {
            "Messages are rejected since there are fewer in-sync replicas than required"
        }
        Some(Code::NotEnoughReplicasAfterAppend) => {
            "Messages are written to the log, but to fewer in-sync replicas than required"
        }
        Some(Code::TopicAuthorizationFailed) => "The client is not authorized to access this topic",
        _ => return error.to_string(),
    };
    format!("kafka server: {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_topic_is_told_as_recorded() {
        let error = KafkaError::MessageProduction(Code::UnknownTopicOrPartition);
        assert_eq!(
            reason(&error),
            "kafka server: Request was for a topic or partition that does not exist on this broker"
        );
        let other = KafkaError::MessageProduction(Code::MessageTimedOut);
        assert_eq!(reason(&other), other.to_string());
    }
}
