//! `cdc cli changefeed create`.

use std::path::Path;

use reqwest::Method;

use super::{
    super::{Failure, Outcome, Terminal, flags::Values, hints, prompt},
    changefeed::{confirm_lag, now},
    client::Client,
};
use crate::{
    api::model::ChangefeedInfo,
    changefeed::create::{Request, TableName, Tables},
    compat::Compat,
    config::{file, golang, kafka::unsupported, replica::ReplicaConfig},
};

/// Tables as the original prints them.
fn tables_text(tables: &[TableName]) -> String {
    let list: Vec<_> = tables
        .iter()
        .map(|table| {
            format!(
                "v2.TableName{{Schema:{}, Table:{}, TableID:{}, IsPartition:{}}}",
                golang::quote(&table.database_name),
                golang::quote(&table.table_name),
                table.table_id,
                table.is_partition
            )
        })
        .collect();
    format!("[]v2.TableName{{{}}}", list.join(", "))
}

/// The file's configuration, or the defaults.
fn config(compat: Compat, values: &Values) -> Result<ReplicaConfig, Failure> {
    let base = ReplicaConfig::defaults(compat);
    let mut config = match values.text("config") {
        "" => base,
        path => file::read(Path::new(path), &base, compat)?,
    };
    match values.text("schema-registry") {
        "" => {}
        registry => config.sink.schema_registry = Some(registry.to_owned()),
    }
    if values.on("disable-gc-check") {
        config.check_gc_safe_point = false;
    }
    Ok(config)
}

pub(super) async fn run(compat: Compat, values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let mut config = config(compat, values)?;
    if !values.text("sort-dir").is_empty() {
        return Err(Failure(
            "creating changefeed with `--sort-dir`, it's invalid".to_owned(),
        ));
    }
    if !values.text("upstream-pd").is_empty() {
        return Err(Failure(
            unsupported("an upstream other than the server's").to_string(),
        ));
    }
    let uri = values.text("sink-uri");
    hints::print(terminal, hints::of_uri(uri, compat, true));
    let client = Client::new(values).await?;
    let current = now(&client).await?;
    let start_ts = match values.uint("start-ts") {
        0 => current,
        start_ts => start_ts,
    };
    if !confirm_lag(terminal, values, start_ts, current) {
        terminal.line("No changefeed is created because you don't want to replicate that much.");
        return Ok(());
    }
    let mut request = Request {
        namespace: values.text("namespace").to_owned(),
        changefeed_id: values.text("changefeed-id").to_owned(),
        start_ts,
        target_ts: values.uint("target-ts"),
        sink_uri: uri.to_owned(),
        replica_config: Some(config.clone().into()),
        pd_addrs: Vec::new(),
    };
    let tables = client
        .call::<_, Tables>(Method::POST, "verify_table", Some(&request))
        .await?
        .value;
    let no_confirm = values.on("no-confirm");
    if !tables.ineligible_tables.is_empty() {
        let shown = tables_text(&tables.ineligible_tables);
        if config.force_replicate {
            terminal.line(format_args!("[WARN] Force to replicate some ineligible tables, these tables do not have a primary key or a not-null unique key: {shown}\n[WARN] This may cause data redundancy, please refer to the official documentation for details."));
        } else {
            terminal.line(format_args!("[WARN] Some tables are not eligible to replicate, because they do not have a primary key or a not-null unique key: {shown}"));
            if !no_confirm {
                terminal.line("Could you agree to ignore those tables, and continue to replicate [Y/N]\nNote: If you don't want to ignore those tables, please set `force-replicate to` true in the changefeed config file.");
                if !prompt::confirmed(terminal) {
                    terminal.line(
                        "No changefeed is created because you don't want to ignore some tables.",
                    );
                    return Ok(());
                }
                config.ignore_ineligible_table = true;
            }
        }
    }
    if no_confirm {
        config.ignore_ineligible_table = true;
    }
    request.replica_config = Some(config.into());
    let answer = client
        .call::<_, ChangefeedInfo>(Method::POST, "changefeeds", Some(&request))
        .await?;
    terminal.line(format_args!(
        "Create changefeed successfully!\nID: {}\nInfo: {}",
        answer.value.id, answer.text
    ));
    hints::print(terminal, answer.hints);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_printed_as_go_prints_them() {
        let table = TableName {
            database_name: "test".to_owned(),
            table_name: "nopk".to_owned(),
            table_id: 112,
            is_partition: false,
        };
        assert_eq!(
            tables_text(&[table]),
            r#"[]v2.TableName{v2.TableName{Schema:"test", Table:"nopk", TableID:112, IsPartition:false}}"#
        );
    }
}
