//! Errors as TiCDC reports them: a code and a message, printed `[CDC:ErrX]message`.
//!
//! Users and their tools match on these codes (in `changefeed query`, in HTTP replies, in etcd), so they are kept to
//! exactly. Nesting is by text, as in the original: an outer code, its fixed lead, then the inner error in full.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $lead:literal,)*) => {
        /// A code of TiCDC, without its `CDC:` in front.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code in use.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it is printed, `CDC:ErrX`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => concat!("CDC:", stringify!($name)),)* }
            }

            /// The words between this code and the error it wraps.
            fn lead(self) -> &'static str {
                match self { $(Code::$name => $lead,)* }
            }
        }
    };
}

codes! {
    /// A parameter of an API call is wrong.
    ErrAPIInvalidParam "invalid api parameter",
    /// The changefeed exists, or one was removed too recently.
    ErrChangeFeedAlreadyExists "changefeed already exists",
    /// No such changefeed.
    ErrChangeFeedNotExists "changefeed not exists",
    /// The changefeed is in a state that cannot be updated.
    ErrChangefeedUpdateRefused "changefeed update error",
    /// The task of a changefeed failed for good.
    ErrChangefeedUnretryable "changefeed is in unretryable state",
    /// No such capture.
    ErrCaptureNotExist "capture not exists",
    /// The session of a capture was lost.
    ErrCaptureSuicide "capture suicide",
    /// A parameter of an encoder is wrong.
    ErrCodecInvalidConfig "Codec invalid config",
    /// A dispatch rule does not fit a table.
    ErrDispatcherFailed "dispatcher failed",
    /// A column selector does not fit a table.
    ErrColumnSelectorFailed "column selector failed",
    /// A row does not have the checksum that it carries.
    ErrCorruptedDataMutation "Changefeed stopped due to corrupted data mutation received",
    /// A checkpoint-ts on the command line is no number.
    ErrCliInvalidCheckpointTs "invalid checkpoint-ts",
    /// A checkpoint-ts on the command line lies in the future.
    ErrCliCheckpointTsIsInFuture "the checkpoint-ts is in the future",
    /// v6.5: a DDL statement that cannot be read, so that event filters do not know its kind.
    ErrConvertDDLToEventTypeFailed "failed to convert ddl to filter event type",
    /// A condition of an event filter names a column that its table does not have.
    ErrExpressionColumnNotFound "invalid filter expression(s)",
    /// A condition of an event filter has no value for a row.
    ErrFailedToFilterDML "failed to filter dml event",
    /// The storage for claim checks cannot be used.
    ErrFailToCreateExternalStorage "failed to create external storage",
    /// A table filter cannot be parsed.
    ErrFilterRuleInvalid "filter rule is invalid",
    /// The checkpoint fell behind for longer than the gc-ttl.
    ErrGCTTLExceeded "the checkpoint-ts is lagging behind longer than gc-ttl",
    /// A DDL statement cannot be followed (since v7).
    ErrHandleDDLFailed "handle ddl failed",
    /// A changefeed id of v4.0.9.
    ErrInvalidChangefeedID "bad changefeed id",
    /// A condition of an event filter that is no expression.
    ErrInvalidFilterExpression "invalid filter expressions",
    /// An unknown event type in an event filter.
    ErrInvalidIgnoreEventType "invalid ignore event type",
    /// A changefeed file with values that do not go together.
    ErrInvalidReplicaConfig "invalid replica config",
    /// An option of the server or the command line.
    ErrInvalidServerOption "invalid server option",
    /// A message could not be delivered.
    ErrKafkaAsyncSendMessage "kafka async send message failed",
    /// A topic could not be created.
    ErrKafkaCreateTopic "kafka create topic failed",
    /// The client id has characters that Kafka does not allow.
    ErrKafkaInvalidClientID "invalid kafka client ID",
    /// A Kafka parameter is wrong.
    ErrKafkaInvalidConfig "kafka config invalid",
    /// The number of partitions is wrong.
    ErrKafkaInvalidPartitionNum "invalid partition num",
    /// Acknowledgements other than 0, 1, -1.
    ErrKafkaInvalidRequiredAcks "invalid required acks",
    /// The version of Kafka cannot be parsed.
    ErrKafkaInvalidVersion "invalid kafka version",
    /// No producer (since v5.0).
    ErrKafkaNewProducer "new kafka producer",
    /// No producer (v4.0.9).
    ErrKafkaNewSaramaProducer "new sarama producer",
    /// DDL or a watermark could not be delivered.
    ErrKafkaSendMessage "kafka send message failed",
    /// A topic expression cannot be parsed.
    ErrKafkaTopicExprInvalid "invalid topic expression",
    /// Rows cannot be sorted on disk.
    ErrLevelDBSorterError "leveldb error",
    /// A row whose message exceeds the topic's limit.
    ErrMessageTooLarge "message is too large",
    /// A parameter could not be bound; the original says MySQL whatever the sink is.
    ErrMySQLInvalidConfig "MySQL config invalid",
    /// The default sink of v4.0.9 cannot be opened.
    ErrMySQLQueryError "MySQL query error",
    /// Old values are needed and off.
    ErrOldValueNotEnabled "old value is not enabled",
    /// No server owns the cluster at the moment.
    ErrOwnerNotFound "owner not found",
    /// An error in the owner without a code of its own.
    ErrOwnerUnknown "owner running unknown error",
    /// PD's etcd did not answer as asked.
    ErrPDEtcdAPIError "etcd api call error",
    /// An error in a processor without a code of its own.
    ErrProcessorUnknown "processor running unknown error",
    /// The schema at a checkpoint is not known.
    ErrSchemaSnapshotNotFound "can not found schema snapshot",
    /// The owner does not move tables as it was asked to.
    ErrSchedulerRequestFailed "scheduler request failed",
    /// A request could not be passed on to the owner.
    ErrRequestForwardErr "request forward error, an request can only forward to another",
    /// The server starts up or has lost its session.
    ErrServerIsNotReady "cdc server is not ready",
    /// A parameter of the sink is wrong.
    ErrSinkInvalidConfig "sink config invalid",
    /// The sink URI is wrong.
    ErrSinkURIInvalid "sink uri invalid",
    /// No such message protocol.
    ErrSinkUnknownProtocol "unknown message protocol for sink",
    /// The snapshot to start from has been collected.
    ErrSnapshotLostByGC "fail to create or maintain changefeed due to snapshot loss caused by GC",
    /// The start-ts lies before the GC safepoint.
    ErrStartTsBeforeGC "fail to create or maintain changefeed because start-ts is earlier than GC safepoint",
    /// The table filter cannot take a rename.
    ErrSyncRenameTableFailed "table's old name is not in filter rule, and its new name in filter rule",
    /// v4.0.9: the endpoint takes POST only.
    ErrSupportPostOnly "this api supports POST method only",
    /// The files of TLS cannot be used.
    ErrToTLSConfigFailed "generate tls config failed",
    /// Tables without a key, and nobody agreed to leave them out.
    ErrTableIneligible "some tables are not eligible to replicate",
    /// The target-ts does not lie behind the start-ts.
    ErrTargetTsBeforeStartTs "fail to create changefeed because target-ts is earlier than start-ts",
    /// What TiCDC does and this pipeline does not; not a code of TiCDC.
    ErrUnsupportedByPipeline "not supported by this pipeline",
}

/// An error with a code of TiCDC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    code: Code,
    message: String,
}

impl Coded {
    /// An error whose message stands right behind the code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// An error behind the code's own lead: `[CDC:ErrX]lead: inner`.
    pub fn wrap(code: Code, inner: impl fmt::Display) -> Self {
        Self {
            code,
            message: format!("{}: {inner}", code.lead()),
        }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]{}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Coded {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_nest_by_text() {
        let inner = Coded::new(Code::ErrKafkaInvalidPartitionNum, "invalid partition num 0");
        let outer = Coded::wrap(Code::ErrKafkaInvalidConfig, inner);
        assert_eq!(
            outer.to_string(),
            "[CDC:ErrKafkaInvalidConfig]kafka config invalid: [CDC:ErrKafkaInvalidPartitionNum]invalid partition num 0"
        );
    }
}
