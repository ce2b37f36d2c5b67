//! The wire contracts of cdclab as one crate: what a TiDB cluster (PD, TiKV), its change feed and etcd speak.
//!
//! The `.proto` files are our own and hold just the messages and fields in use; names and numbers are the contract.
//! Each module carries the package's messages and, where it has a service, its client and its server.
//! All `bytes` fields are [`bytes::Bytes`].

/// The `.proto` files as an encoded `FileDescriptorSet`, for tests that build and read messages by field name.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! package {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]
        pub mod $name {
            tonic::include_proto!($file);
        }
    };
}

package!(/** The change feed of a store. */ cdcpb, "cdcpb");
package!(/** Region errors. */ errorpb, "errorpb");
package!(/** etcd v3. */ etcdserverpb, "etcdserverpb");
package!(/** gRPC's health checks. */ health, "grpc.health.v1");
package!(/** Transactional requests and replies. */ kvrpcpb, "kvrpcpb");
package!(/** Stores, regions, peers. */ metapb, "metapb");
package!(/** etcd's stored key and event. */ mvccpb, "mvccpb");
package!(/** The placement driver. */ pdpb, "pdpb");
package!(/** The transactional service of a store. */ tikvpb, "tikvpb");
