//! Values in etcd and bodies of the API are read and written back byte by byte.

use std::collections::BTreeMap;

use pipeline::{
    api::model::{
        Capture, ChangefeedInfo, ChangefeedStatus, Common, KeyValue, List, Processor,
        ProcessorTables, ServerStatus, Synced, Tso,
    },
    changefeed::{
        create::Tables,
        info::{CaptureInfo, Info, Status, TaskPosition, UpstreamInfo},
        keys::{Id, Keys},
        legacy::{JobStatus, LegacyInfo, LegacyPosition, Summary, TaskStatus},
        state::{Meta, decode_position},
    },
    compat::Compat,
    config::golang,
};
use serde::{Serialize, de::DeserializeOwned};

use super::load::{calls, etcd_pairs};

fn same<T: Serialize + DeserializeOwned>(text: &str, indent: &str) {
    let value: T = serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("{}: {error} in {text}", std::any::type_name::<T>()));
    let written = if indent.is_empty() {
        golang::json(&value)
    } else {
        golang::json_indented(&value, indent)
    };
    assert_eq!(written.unwrap(), text.trim_end());
}

#[test]
fn values_of_v4_0_9() {
    let keys = Keys::new(Compat::V4_0_9, "");
    let mut seen = BTreeMap::new();
    for (key, value) in ["v4.0-cli-1", "v4.0-cli-2"]
        .into_iter()
        .flat_map(etcd_pairs)
    {
        let rest = key.strip_prefix("/tidb/cdc/").unwrap();
        let kind = rest.rsplit_once('/').unwrap().0;
        let kind = if kind.starts_with("task/") {
            let (_, kind) = kind.split_once('/').unwrap();
            kind.split('/').next().unwrap()
        } else {
            kind
        };
        *seen.entry(kind.to_owned()).or_insert(0) += 1;
        match kind {
            "capture" => same::<CaptureInfo>(&value, ""),
            "changefeed/info" => {
                same::<LegacyInfo>(&value, "");
                let meta = Meta::decode(Compat::V4_0_9, value.as_bytes()).unwrap();
                assert_eq!(meta.encode().unwrap(), value);
                let id = keys.parse_info(&key).unwrap();
                assert_eq!(keys.info(&id), key);
            }
            "job" => same::<JobStatus>(&value, ""),
            "status" => same::<TaskStatus>(&value, ""),
            "position" => same::<LegacyPosition>(&value, ""),
            "workload" | "owner" => {}
            other => panic!("{other} is not known: {key}"),
        }
    }
    for kind in [
        "capture",
        "changefeed/info",
        "job",
        "status",
        "position",
        "owner",
    ] {
        assert!(seen.contains_key(kind), "{kind} is not recorded: {seen:?}");
    }
}

#[test]
fn values_since_v5() {
    let keys = Keys::new(Compat::V8_5, "default");
    let mut infos = 0;
    for (key, value) in ["cli-and-api", "http-api", "faults"]
        .into_iter()
        .flat_map(etcd_pairs)
    {
        let rest = key.strip_prefix("/tidb/cdc/default/").unwrap();
        if rest.starts_with("__cdc_meta__/capture/") {
            same::<CaptureInfo>(&value, "");
        } else if rest.starts_with("__cdc_meta__/") {
            continue;
        } else if let Some(id) = keys.parse_info(&key) {
            infos += 1;
            same::<Info>(&value, "");
            assert_eq!(keys.info(&id), key);
            assert_eq!(id, Id::default(&id.id));
        } else if rest.starts_with("default/changefeed/status/") {
            same::<Status>(&value, "");
            let position = decode_position(Compat::V8_5, value.as_bytes()).unwrap();
            assert!(position.barrier_ts >= position.checkpoint_ts);
        } else if rest.starts_with("default/task/position/") {
            same::<TaskPosition>(&value, "");
        } else if rest.starts_with("default/upstream/") {
            same::<UpstreamInfo>(&value, "");
        } else {
            panic!("{key} is not known");
        }
    }
    assert!(infos > 5, "{infos}");
}

#[test]
fn bodies_of_the_api() {
    let mut seen = 0;
    for (call, status, body) in ["cli-and-api", "http-api"].into_iter().flat_map(calls) {
        if status != 200 {
            continue;
        }
        let path = call.split_once(' ').unwrap().1;
        let path = path.split('?').next().unwrap();
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let get = call.starts_with("GET");
        match parts[..] {
            ["api", "v1" | "v2", "status"] => same::<ServerStatus>(&body, "    "),
            ["api", "v2", "captures"] => same::<List<Capture>>(&body, ""),
            ["api", "v1", "captures"] => same::<Vec<Capture>>(&body, "    "),
            ["api", "v2", "processors"] => same::<List<Processor>>(&body, ""),
            ["api", "v2", "processors", ..] => same::<ProcessorTables>(&body, ""),
            ["api", "v1", "processors", ..] => same::<ProcessorTables>(&body, "    "),
            ["api", "v2", "changefeeds"] if get => same::<List<Common>>(&body, ""),
            ["api", "v1", "changefeeds"] if get => same::<Vec<Common>>(&body, "    "),
            ["api", "v2", "changefeeds"] => same::<ChangefeedInfo>(&body, ""),
            ["api", "v2", "changefeeds", _] | ["api", "v2", "changefeeds", _, "meta_info"]
                if body != "{}" =>
            {
                same::<ChangefeedInfo>(&body, "");
            }
            ["api", "v2", "changefeeds", _, "status"] => same::<ChangefeedStatus>(&body, ""),
            ["api", "v2", "changefeeds", _, "synced"] => same::<Synced>(&body, ""),
            ["api", "v2", "verify_table"] => same::<Tables>(&body, ""),
            ["api", "v2", "unsafe", "metadata"] => same::<Vec<KeyValue>>(&body, "    "),
            ["api", "v2", "tso"] => same::<Tso>(&body, "    "),
            _ => continue,
        }
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_owners_answers_of_v4_0_9() {
    let mut seen = 0;
    for line in ["v4.0-cli-1", "v4.0-cli-2"]
        .into_iter()
        .flat_map(super::load::recording)
    {
        let simple = line["cmd"]
            .as_array()
            .is_some_and(|cmd| cmd.iter().any(|arg| arg == "-s"));
        if simple && line["exit"] == 0 {
            // the command prints the answer and a line end
            same::<Summary>(line["stdout"].as_str().unwrap(), " ");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
