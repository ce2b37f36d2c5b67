use super::{Endpoint, Implementation, Scheme, Spec, text};
use crate::lab::fetch::debian;
use crate::lab::topology::Kind;
use crate::observe::sql::Session;

pub(super) const TIDB: Spec = Spec {
    needs: &[Kind::Tikv],
    uses: &[Kind::Pd],
    implementation: Implementation::Embedded,
    java: false,
    endpoints: |_, _| {
        const {
            &[
                Endpoint::new("mysql", 14000, Scheme::Other),
                Endpoint::new("status", 12080, Scheme::Http),
            ]
        }
    },
    plan: |context| {
        let unpacked = debian::unpacked(context.fetcher, &debian::MARIADB)?;
        let version = context.component(Kind::Tidb)?.version.clone();
        let template = debian::mariadb_template(context.fetcher);
        let options = vec![
            ("--pd", context.topology.url(Kind::Pd, "client")?),
            ("--addr", context.topology.address(Kind::Tidb, "mysql")?),
            (
                "--status-addr",
                context.topology.address(Kind::Tidb, "status")?,
            ),
            (
                "--data-dir",
                context.paths.data(Kind::Tidb).display().to_string(),
            ),
            ("--mariadb-dir", unpacked.root.display().to_string()),
            ("--mariadb-template", template.display().to_string()),
            ("--version", format!("v{version}")),
        ];
        Ok(context.ours(&context.programs.get()?.embedded, "tidb", options, version))
    },
    before: None,
    // It runs a statement, and says that it is TiDB.
    ready: |topology| {
        Box::pin(async move {
            let address = topology.address(Kind::Tidb, "mysql").map_err(text)?;
            let mut session = Session::connect(&address).await.map_err(text)?;
            let answer = session.strings("SELECT VERSION()").await.map_err(text)?;
            session.close().await;
            match answer.first() {
                Some(version) if version.contains("TiDB") => Ok(()),
                _ => Err(format!("its version is {answer:?}, not TiDB's")),
            }
        })
    },
};
