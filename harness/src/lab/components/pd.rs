use super::{Endpoint, Implementation, Scheme, Spec, text};
use crate::lab::topology::Kind;
use crate::observe::pd;

pub(super) const PD: Spec = Spec {
    needs: &[Kind::Etcd],
    uses: &[],
    implementation: Implementation::Embedded,
    java: false,
    endpoints: |_, _| const { &[Endpoint::new("client", 12379, Scheme::Http)] },
    plan: |context| {
        let version = context.component(Kind::Pd)?.version.clone();
        let options = vec![
            ("--name", "pd-1".to_owned()),
            ("--addr", context.topology.address(Kind::Pd, "client")?),
            ("--etcd", context.topology.url(Kind::Etcd, "client")?),
            ("--version", format!("v{version}")),
        ];
        Ok(context.ours(&context.programs.get()?.embedded, "pd", options, version))
    },
    before: None,
    // It leads, and gives a timestamp.
    ready: |topology| {
        Box::pin(async move {
            let address = topology.address(Kind::Pd, "client").map_err(text)?;
            pd::tso(&address).await.map(drop).map_err(text)
        })
    },
};
