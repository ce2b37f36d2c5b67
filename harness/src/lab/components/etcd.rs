use proto::etcdserverpb::kv_client::KvClient;
use proto::etcdserverpb::{PutRequest, RangeRequest};

use super::{Endpoint, Implementation, Plan, Scheme, Spec, text};
use crate::lab::fetch::debian;
use crate::lab::topology::Kind;

pub(super) const ETCD: Spec = Spec {
    needs: &[],
    uses: &[],
    implementation: Implementation::Real,
    java: false,
    endpoints: |_, _| {
        const {
            &[
                Endpoint::new("client", 12381, Scheme::Http),
                Endpoint::inner("peer", 12382),
            ]
        }
    },
    plan: |context| {
        let unpacked = debian::unpacked(context.fetcher, &debian::ETCD)?;
        let client = context.topology.url(Kind::Etcd, "client")?;
        let peer = format!("http://{}", context.topology.address(Kind::Etcd, "peer")?);
        let options = [
            ("--name", "lab".to_owned()),
            (
                "--data-dir",
                context.paths.data(Kind::Etcd).display().to_string(),
            ),
            ("--listen-client-urls", client.clone()),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer.clone()),
            ("--initial-cluster", format!("lab={peer}")),
        ];
        Ok(Plan {
            program: unpacked.root.join("usr/bin/etcd"),
            arguments: options
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            environment: vec![(
                "LD_LIBRARY_PATH".to_owned(),
                unpacked.library_path().to_string_lossy().into_owned(),
            )],
            files: Vec::new(),
            first: Vec::new(),
            version: unpacked.version,
        })
    },
    before: None,
    // A key that was put can be read.
    ready: |topology| {
        Box::pin(async move {
            let url = topology.url(Kind::Etcd, "client").map_err(text)?;
            let mut client = KvClient::connect(url).await.map_err(text)?;
            let (key, value) = ("cdclab/ready", "yes");
            let put = PutRequest {
                key: key.into(),
                value: value.into(),
                ..Default::default()
            };
            client.put(put).await.map_err(text)?;
            let range = RangeRequest {
                key: key.into(),
                ..Default::default()
            };
            let found = client.range(range).await.map_err(text)?.into_inner();
            match found.kvs.first() {
                Some(kv) if kv.value == value => Ok(()),
                _ => Err("a key that was put is not there".to_owned()),
            }
        })
    },
};
