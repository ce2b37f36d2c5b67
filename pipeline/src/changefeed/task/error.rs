//! Failures of the stages as the codes that TiCDC reports them under.

use crate::{
    codec::{canal_json::EncodeError, dispatch::DispatchError},
    coded::{Code, Coded},
    mount::MountError,
    schema::SchemaError,
    sort, upstream,
};

/// Names a stage's failure in the order of words of the house, "failed to …", under the code of errors that have none.
fn processor(error: impl std::fmt::Display) -> Coded {
    Coded::new(Code::ErrProcessorUnknown, format!("failed to {error}"))
}

impl From<upstream::Error> for Coded {
    fn from(error: upstream::Error) -> Self {
        processor(error)
    }
}

impl From<sort::Error> for Coded {
    fn from(error: sort::Error) -> Self {
        match error {
            sort::Error::Feed { .. } | sort::Error::Twice { .. } => processor(error),
            // TiCDC's name for its sorter's store, whichever it is.
            _ => Coded::wrap(
                Code::ErrLevelDBSorterError,
                format_args!("failed to {error}"),
            ),
        }
    }
}

impl From<MountError> for Coded {
    fn from(error: MountError) -> Self {
        processor(error)
    }
}

impl From<SchemaError> for Coded {
    fn from(error: SchemaError) -> Self {
        let query = match &error {
            SchemaError::TableNotFound { query, .. }
            | SchemaError::SchemaNotFound { query, .. }
            | SchemaError::Job { query, .. }
            | SchemaError::Statement { query, .. } => query,
            _ => return Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}")),
        };
        Coded::new(
            Code::ErrHandleDDLFailed,
            format!(
                "handle ddl failed, query: {query}. If you want to skip this DDL and continue with replication, you can \
                 manually execute this DDL downstream. Afterwards, add its start-ts to `ignore-txn-start-ts` in the \
                 changefeed in the filter configuration.: {error}"
            ),
        )
    }
}

impl From<DispatchError> for Coded {
    fn from(error: DispatchError) -> Self {
        Coded::new(Code::ErrDispatcherFailed, format!("failed to {error}"))
    }
}

impl From<EncodeError> for Coded {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::TooLarge { .. } => {
                let text = error.to_string();
                let message = text.split_once(']').map_or(&*text, |(_, message)| message);
                Coded::new(Code::ErrMessageTooLarge, message)
            }
            EncodeError::Value { .. } | EncodeError::Compress { .. } => processor(error),
            EncodeError::Ddl(error) => error.into(),
        }
    }
}
