//! TLS, SASL, acknowledgements and compression (`spec/sink-uri.md §2`) against a real Kafka of the lab's, which has a
//! listener of each kind.

// helpers of tests are tests too
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod lab;
mod refused;
mod stored;

use lab::Lab;

#[test]
fn kafka_3_9() {
    let lab = Lab::start("current");
    stored::every_listener(&lab);
    stored::every_compression(&lab);
    stored::every_acknowledgement(&lab);
    refused::credentials(&lab);
    refused::certificates(&lab);
    refused::other_listeners(&lab);
}

#[test]
fn kafka_2_7() {
    let lab = Lab::start("seed");
    stored::every_listener(&lab);
    stored::every_compression(&lab);
    stored::of_v4_0_9(&lab);
    refused::credentials(&lab);
    refused::other_listeners(&lab);
    refused::of_v4_0_9(&lab);
}
