//! Names of the keys in PD's etcd, of both layouts (`spec/state.md §1`).

use crate::compat::Compat;

/// Everything of TiCDC stands below.
pub const ROOT: &str = "/tidb/cdc";

/// Beside it, what captures of this pipeline tell one another of tables that are spread over them. TiCDC does that by
/// messages (since v5.3; v4.0.9 by its task keys), so nobody reads it there.
pub const SPREAD: &str = "/tidb/cdc_spread";

/// The key of the election and of all state of one cluster of captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    legacy: bool,
    /// `/tidb/cdc`, or with the cluster's id behind it.
    base: String,
}

/// A changefeed's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `default` unless said otherwise; v4.0.9 has no other.
    pub namespace: String,
    /// The id proper.
    pub id: String,
}

/// The namespace of those who name none.
pub const DEFAULT_NAMESPACE: &str = "default";

impl Id {
    /// A changefeed of the default namespace.
    #[must_use]
    pub fn default(id: &str) -> Self {
        Self::new(DEFAULT_NAMESPACE, id)
    }

    /// A changefeed by namespace and id.
    #[must_use]
    pub fn new(namespace: &str, id: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            id: id.to_owned(),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.id)
    }
}

impl Keys {
    /// The keys of a release's layout; v4.0.9 knows no cluster id.
    #[must_use]
    pub fn new(compat: Compat, cluster: &str) -> Self {
        let legacy = compat == Compat::V4_0_9;
        Self {
            legacy,
            base: if legacy {
                ROOT.to_owned()
            } else {
                format!("{ROOT}/{cluster}")
            },
        }
    }

    fn meta(&self, what: &str) -> String {
        match self.legacy {
            true => format!("{}/{what}", self.base),
            false => format!("{}/__cdc_meta__/{what}", self.base),
        }
    }

    /// Before all keys of this cluster.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Before the keys of candidates; the oldest owns.
    #[must_use]
    pub fn owner_prefix(&self) -> String {
        self.meta("owner/")
    }

    /// The key of a candidate, by its lease.
    #[must_use]
    pub fn owner(&self, lease: i64) -> String {
        format!("{}{lease:x}", self.owner_prefix())
    }

    /// Before the keys of captures.
    #[must_use]
    pub fn capture_prefix(&self) -> String {
        self.meta("capture/")
    }

    /// The key of a capture.
    #[must_use]
    pub fn capture(&self, id: &str) -> String {
        format!("{}{id}", self.capture_prefix())
    }

    /// The version of the layout; none in v4.0.9.
    #[must_use]
    pub fn meta_version(&self) -> Option<String> {
        (!self.legacy).then(|| self.meta("meta/meta-version"))
    }

    /// How many keys were removed; none in v4.0.9.
    #[must_use]
    pub fn delete_count(&self) -> Option<String> {
        (!self.legacy).then(|| self.meta("meta/ticdc-delete-etcd-key-count"))
    }

    /// The key that describes the upstream; none in v4.0.9.
    #[must_use]
    pub fn upstream(&self, id: u64) -> Option<String> {
        (!self.legacy).then(|| format!("{}/{DEFAULT_NAMESPACE}/upstream/{id}", self.base))
    }

    fn of(&self, id: &Id, kind: &str) -> String {
        match self.legacy {
            true => format!("{}/{kind}/{}", self.base, id.id),
            false => format!("{}/{}/{kind}/{}", self.base, id.namespace, id.id),
        }
    }

    /// The key of a changefeed's configuration and state.
    #[must_use]
    pub fn info(&self, id: &Id) -> String {
        self.of(id, "changefeed/info")
    }

    /// The key of how far a changefeed has come.
    #[must_use]
    pub fn status(&self, id: &Id) -> String {
        let kind = if self.legacy {
            "job"
        } else {
            "changefeed/status"
        };
        self.of(id, kind)
    }

    fn task(&self, kind: &str, capture: &str, id: &Id) -> String {
        match self.legacy {
            true => format!("{}/task/{kind}/{capture}/{}", self.base, id.id),
            false => format!(
                "{}/{}/task/{kind}/{capture}/{}",
                self.base, id.namespace, id.id
            ),
        }
    }

    /// The key of where a capture stands with a changefeed.
    #[must_use]
    pub fn task_position(&self, capture: &str, id: &Id) -> String {
        self.task("position", capture, id)
    }

    /// The key of the tables that a capture has of a changefeed; none since v5.
    #[must_use]
    pub fn task_status(&self, capture: &str, id: &Id) -> Option<String> {
        self.legacy.then(|| self.task("status", capture, id))
    }

    /// The key of a capture's load; none since v5.
    #[must_use]
    pub fn task_workload(&self, capture: &str, id: &Id) -> Option<String> {
        self.legacy.then(|| self.task("workload", capture, id))
    }

    /// Before all keys of tasks in v4.0.9.
    #[must_use]
    pub fn task_prefix(&self, kind: &str) -> String {
        format!("{}/task/{kind}/", self.base)
    }

    /// Before the keys of changefeeds of v4.0.9.
    #[must_use]
    pub fn info_prefix(&self) -> String {
        format!("{}/changefeed/info/", self.base)
    }

    /// Before the keys of jobs of v4.0.9.
    #[must_use]
    pub fn job_prefix(&self) -> String {
        format!("{}/job/", self.base)
    }

    /// The id of the capture whose key this is.
    #[must_use]
    pub fn parse_capture<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.capture_prefix())
    }

    fn spread(&self, what: &str) -> String {
        // no cluster of captures is called like that
        let cluster = self.base.strip_prefix(ROOT).filter(|rest| !rest.is_empty());
        format!("{SPREAD}{}/{what}/", cluster.unwrap_or("/-"))
    }

    /// Before the keys of changefeeds whose tables are spread over captures.
    #[must_use]
    pub fn run_prefix(&self) -> String {
        self.spread("run")
    }

    /// The key of a changefeed whose tables are spread over captures, there as long as it runs so.
    #[must_use]
    pub fn run(&self, id: &Id) -> String {
        format!("{}{id}", self.run_prefix())
    }

    /// Whose tables are spread by this key.
    #[must_use]
    pub fn parse_run(&self, key: &str) -> Option<Id> {
        let rest = key.strip_prefix(&self.run_prefix())?;
        let (namespace, id) = rest.split_once('/')?;
        Some(Id::new(namespace, id))
    }

    /// The key of which capture had which tables when the changefeed last ran so.
    #[must_use]
    pub fn placed(&self, id: &Id) -> String {
        format!("{}{id}", self.spread("placed"))
    }

    /// Before the keys of captures that are drained.
    #[must_use]
    pub fn drained_prefix(&self) -> String {
        self.spread("drained")
    }

    /// Before the keys of what captures have done of a changefeed.
    #[must_use]
    pub fn part_prefix(&self, id: &Id) -> String {
        format!("{}{id}/", self.spread("part"))
    }

    /// The key of what a capture has done of a changefeed.
    #[must_use]
    pub fn part(&self, id: &Id, capture: &str) -> String {
        format!("{}{capture}", self.part_prefix(id))
    }

    /// Whether a key holds a changefeed's configuration, and whose.
    #[must_use]
    pub fn parse_info(&self, key: &str) -> Option<Id> {
        let rest = key.strip_prefix(&self.base)?.strip_prefix('/')?;
        if self.legacy {
            return rest.strip_prefix("changefeed/info/").map(Id::default);
        }
        let (namespace, rest) = rest.split_once('/')?;
        let id = rest.strip_prefix("changefeed/info/")?;
        Some(Id::new(namespace, id))
    }

    /// Whether a key belongs to the task of a changefeed.
    #[must_use]
    pub fn is_task(&self, key: &str) -> bool {
        let rest = key
            .strip_prefix(&self.base)
            .and_then(|rest| rest.strip_prefix('/'));
        let rest = match (rest, self.legacy) {
            (Some(rest), true) => Some(rest),
            (Some(rest), false) => rest.split_once('/').map(|(_, rest)| rest),
            (None, _) => None,
        };
        rest.is_some_and(|rest| rest.starts_with("task/"))
    }

    /// Capture and changefeed of a key of tasks of v4.0.9.
    #[must_use]
    pub fn parse_task(&self, kind: &str, key: &str) -> Option<(String, String)> {
        let rest = key.strip_prefix(&self.task_prefix(kind))?;
        let (capture, id) = rest.split_once('/')?;
        Some((capture.to_owned(), id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts() {
        let id = Id::default("ticdc-kafka");
        let old = Keys::new(Compat::V4_0_9, "default");
        assert_eq!(
            old.owner(0x250c_a20a_3d9a_0beb),
            "/tidb/cdc/owner/250ca20a3d9a0beb"
        );
        assert_eq!(old.capture("u"), "/tidb/cdc/capture/u");
        assert_eq!(old.info(&id), "/tidb/cdc/changefeed/info/ticdc-kafka");
        assert_eq!(old.status(&id), "/tidb/cdc/job/ticdc-kafka");
        assert_eq!(
            old.task_position("u", &id),
            "/tidb/cdc/task/position/u/ticdc-kafka"
        );
        assert_eq!(old.parse_info(&old.info(&id)), Some(id.clone()));
        assert_eq!(old.upstream(7), None);
        assert!(old.is_task(&old.task_position("u", &id)) && !old.is_task(&old.info(&id)));

        let new = Keys::new(Compat::V8_5, "default");
        assert_eq!(new.capture("u"), "/tidb/cdc/default/__cdc_meta__/capture/u");
        assert_eq!(
            new.owner(0x2231_a20a_2548_a5bd),
            "/tidb/cdc/default/__cdc_meta__/owner/2231a20a2548a5bd"
        );
        assert_eq!(
            new.info(&id),
            "/tidb/cdc/default/default/changefeed/info/ticdc-kafka"
        );
        assert_eq!(
            new.status(&id),
            "/tidb/cdc/default/default/changefeed/status/ticdc-kafka"
        );
        assert_eq!(
            new.task_position("u", &id),
            "/tidb/cdc/default/default/task/position/u/ticdc-kafka"
        );
        assert_eq!(
            new.upstream(7).as_deref(),
            Some("/tidb/cdc/default/default/upstream/7")
        );
        assert_eq!(new.parse_info(&new.info(&id)), Some(id.clone()));
        assert_eq!(new.parse_info(&new.status(&id)), None);
        assert_eq!(new.parse_info(&new.capture("u")), None);
        assert!(new.is_task(&new.task_position("u", &id)) && !new.is_task(&new.status(&id)));
        assert_eq!(id.to_string(), "default/ticdc-kafka");
    }
}
