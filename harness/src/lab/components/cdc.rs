use serde::Deserialize;

use super::{Endpoint, Implementation, Scheme, Spec, get, text};
use crate::lab::topology::{Compat, Kind};

pub(super) const CDC: Spec = Spec {
    needs: &[Kind::Tikv],
    uses: &[Kind::Pd, Kind::Tidb, Kind::Kafka],
    implementation: Implementation::Pipeline,
    java: false,
    endpoints: |_, _| const { &[Endpoint::new("api", 18300, Scheme::Http)] },
    plan: |context| {
        let options = vec![
            ("--pd", context.topology.url(Kind::Pd, "client")?),
            ("--addr", context.topology.address(Kind::Cdc, "api")?),
            (
                "--data-dir",
                context.paths.data(Kind::Cdc).display().to_string(),
            ),
            ("--tz", context.topology.time_zone.clone()),
            ("--compat", context.topology.compat.name().to_owned()),
        ];
        let as_version = &context.component(Kind::Cdc)?.version;
        let version = format!("{} as {as_version}", env!("CARGO_PKG_VERSION"));
        Ok(context.ours(&context.programs.get()?.cdc, "server", options, version))
    },
    before: None,
    // It serves, and the cluster's changefeeds have an owner.
    ready: |topology| {
        Box::pin(async move {
            let api = topology.url(Kind::Cdc, "api").map_err(text)?;
            let owned = match topology.compat {
                Compat::V4 => get::<Capture>(&format!("{api}/status")).await?.is_owner,
                Compat::V6 | Compat::V8 => {
                    get::<serde_json::Value>(&format!("{api}/api/v2/health")).await?;
                    let captures: Captures = get(&format!("{api}/api/v2/captures")).await?;
                    captures.items.iter().any(|capture| capture.is_owner)
                }
            };
            if owned {
                Ok(())
            } else {
                Err("nobody owns the changefeeds yet".to_owned())
            }
        })
    },
};

#[derive(Deserialize)]
struct Capture {
    is_owner: bool,
}

#[derive(Deserialize)]
struct Captures {
    items: Vec<Capture>,
}
