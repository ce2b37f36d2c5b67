//! What transactions are made of: comparisons, writes and reads.

use bytes::Bytes;
use proto::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse,
        compare::{CompareResult, CompareTarget, TargetUnion},
        request_op::Request as Op,
        response_op::Response as Answer,
    },
    mvccpb::KeyValue,
};

/// Within a transaction: write a key.
pub fn put(key: &str, value: impl Into<Bytes>, lease: i64) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestPut(PutRequest {
            key,
            value: value.into(),
            lease,
            ..Default::default()
        })),
    }
}

/// Within a transaction: write a key that is there as it is, so that it has another revision.
#[must_use]
pub fn touch(key: &str) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestPut(PutRequest {
            key,
            ignore_value: true,
            ignore_lease: true,
            ..Default::default()
        })),
    }
}

/// Within a transaction: remove a key.
#[must_use]
pub fn delete(key: &str) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestDeleteRange(DeleteRangeRequest {
            key,
            ..Default::default()
        })),
    }
}

/// Within a transaction: read a key.
#[must_use]
pub fn get(key: &str) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestRange(RangeRequest {
            key,
            ..Default::default()
        })),
    }
}

/// Within a transaction: another one, with comparisons of its own; it is made or not with the whole.
#[must_use]
pub fn nested(
    compare: Vec<Compare>,
    success: Vec<RequestOp>,
    failure: Vec<RequestOp>,
) -> RequestOp {
    RequestOp {
        request: Some(Op::RequestTxn(TxnRequest {
            compare,
            success,
            failure,
        })),
    }
}

/// The key that a transaction read alone, if it is there.
#[must_use]
pub fn read(answer: &TxnResponse) -> Option<&KeyValue> {
    match &answer.responses.first()?.response {
        Some(Answer::ResponseRange(range)) => range.kvs.first(),
        _ => None,
    }
}

/// The key is not there.
#[must_use]
pub fn absent(key: &str) -> Compare {
    compare(
        key,
        CompareResult::Equal,
        CompareTarget::Create,
        TargetUnion::CreateRevision(0),
    )
}

/// The key is there.
#[must_use]
pub fn present(key: &str) -> Compare {
    compare(
        key,
        CompareResult::Greater,
        CompareTarget::Create,
        TargetUnion::CreateRevision(0),
    )
}

/// The key was last written at `revision`; 0 for a key that is not there.
#[must_use]
pub fn unchanged(key: &str, revision: i64) -> Compare {
    compare(
        key,
        CompareResult::Equal,
        CompareTarget::Mod,
        TargetUnion::ModRevision(revision),
    )
}

/// The key was made at `revision` and has not been removed since.
#[must_use]
pub fn created_at(key: &str, revision: i64) -> Compare {
    compare(
        key,
        CompareResult::Equal,
        CompareTarget::Create,
        TargetUnion::CreateRevision(revision),
    )
}

fn compare(key: &str, result: CompareResult, target: CompareTarget, union: TargetUnion) -> Compare {
    Compare {
        result: result.into(),
        target: target.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        target_union: Some(union),
        range_end: Bytes::new(),
    }
}
