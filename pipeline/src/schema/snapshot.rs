//! The schema at one moment, moved on by DDL jobs.

use std::{collections::BTreeMap, sync::Arc};

use crate::{compat::Compat, model::Ts};

use super::{
    action::Action,
    error::SchemaError,
    event::DdlEvent,
    job::Job,
    model::{DbInfo, TableModel},
    statement::Rewrite,
    table::TableInfo,
};

/// The databases and tables after the last DDL job.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) schemas: BTreeMap<i64, String>,
    pub(super) tables: BTreeMap<i64, Arc<TableInfo>>,
}

/// A finished job with the transaction that finished it.
#[derive(Debug, Clone)]
pub(super) struct FinishedJob {
    pub(super) job: Job,
    pub(super) start_ts: Ts,
    pub(super) commit_ts: Ts,
}

impl Head {
    pub(super) fn add_schema(&mut self, schema: &DbInfo) {
        self.schemas.insert(schema.id, schema.name.original.clone());
    }

    /// Applies the job; gives the events for it, in the order of its tables.
    pub(super) fn apply(
        &mut self,
        finished: &FinishedJob,
        compat: Compat,
    ) -> Result<Vec<DdlEvent>, SchemaError> {
        let step = Step {
            head: self,
            finished,
            compat,
        };
        match finished.job.action {
            Action::CREATE_SCHEMA | Action::DROP_SCHEMA | Action::MODIFY_SCHEMA_CHARSET => {
                step.schema()
            }
            Action::CREATE_TABLE
            | Action::CREATE_VIEW
            | Action::RECOVER_TABLE
            | Action::CREATE_SEQUENCE => step.create(),
            Action::DROP_TABLE | Action::DROP_VIEW | Action::DROP_SEQUENCE => step.drop_table(),
            Action::TRUNCATE_TABLE | Action::RENAME_TABLE => step.replace_whole(),
            Action::RENAME_TABLES => step.rename_tables(),
            Action::CREATE_TABLES => step.create_tables(),
            Action::EXCHANGE_TABLE_PARTITION => step.exchange_partition(),
            _ => step.alter(),
        }
    }
}

/// One job on its way through [`Head`].
struct Step<'a> {
    head: &'a mut Head,
    finished: &'a FinishedJob,
    compat: Compat,
}

impl Step<'_> {
    fn job(&self) -> &Job {
        &self.finished.job
    }

    fn event(
        &self,
        schema: String,
        info: Option<Arc<TableInfo>>,
        pre_info: Option<Arc<TableInfo>>,
    ) -> DdlEvent {
        let ids = |info: &Option<Arc<TableInfo>>| {
            info.as_ref()
                .map(|info| info.physical_ids.clone())
                .unwrap_or_default()
        };
        let (before, after) = (ids(&pre_info), ids(&info));
        let only_in = |these: &[i64], others: &[i64]| {
            these
                .iter()
                .copied()
                .filter(|id| !others.contains(id))
                .collect()
        };
        DdlEvent {
            job_id: self.job().id,
            action: self.job().action,
            start_ts: self.finished.start_ts,
            commit_ts: self.finished.commit_ts,
            schema,
            table: info
                .as_ref()
                .map(|info| info.name.clone())
                .unwrap_or_default(),
            query: self.job().query.clone(),
            created: only_in(&after, &before),
            dropped: only_in(&before, &after),
            info,
            pre_info,
            rewrite: Rewrite::None,
            sql_mode: self.job().sql_mode,
            compat: self.compat,
        }
    }

    fn schema_name(&self, id: i64) -> Result<String, SchemaError> {
        self.head
            .schemas
            .get(&id)
            .cloned()
            .ok_or_else(|| SchemaError::SchemaNotFound {
                schema_id: id,
                job_id: self.job().id,
                query: self.job().query.clone(),
            })
    }

    fn not_found(&self, table_id: i64) -> SchemaError {
        SchemaError::TableNotFound {
            table_id,
            job_id: self.job().id,
            query: self.job().query.clone(),
        }
    }

    fn wrap(&self, schema_id: i64, model: &TableModel) -> Result<Arc<TableInfo>, SchemaError> {
        let schema = self.schema_name(schema_id)?;
        Ok(Arc::new(TableInfo::new(
            schema_id,
            &schema,
            self.finished.commit_ts,
            model,
            self.compat,
        )))
    }

    fn remove(&mut self, table_id: i64) -> Result<Arc<TableInfo>, SchemaError> {
        self.head
            .tables
            .remove(&table_id)
            .ok_or_else(|| self.not_found(table_id))
    }

    fn insert(&mut self, info: &Arc<TableInfo>) {
        self.head.tables.insert(info.id, Arc::clone(info));
    }

    /// Removes tables; gives their physical ids.
    fn drop_where(&mut self, gone: impl Fn(&TableInfo) -> bool) -> Vec<i64> {
        let mut ids = Vec::new();
        self.head.tables.retain(|_, table| {
            if gone(table) {
                ids.extend_from_slice(&table.physical_ids);
            }
            !gone(table)
        });
        ids
    }

    fn schema(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let id = self.job().schema_id;
        let mut event = match (self.job().action, &self.job().binlog.db_info) {
            (Action::DROP_SCHEMA, db) => {
                let name = match db {
                    Some(db) => db.name.original.clone(),
                    None => self.schema_name(id)?,
                };
                self.event(name, None, None)
            }
            (_, Some(db)) => self.event(db.name.original.clone(), None, None),
            (_, None) => return Err(self.job().invalid("the job carries no database")),
        };
        if self.job().action == Action::DROP_SCHEMA {
            self.head.schemas.remove(&id);
            event.dropped = self.drop_where(|table| table.schema_id == id);
        } else if let Some(db) = &self.finished.job.binlog.db_info {
            self.head.add_schema(db);
        }
        Ok(vec![event])
    }

    fn create(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let info = self.wrap(self.job().schema_id, self.job().table()?)?;
        let mut event = self.event(info.schema.clone(), Some(Arc::clone(&info)), None);
        if self.job().action == Action::CREATE_VIEW {
            // `CREATE OR REPLACE` drops the view of that name.
            event.dropped = self.drop_where(|table| {
                table.id != info.id && table.schema_id == info.schema_id && table.name == info.name
            });
        }
        self.insert(&info);
        Ok(vec![event])
    }

    fn drop_table(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let pre = self.remove(self.job().table_id)?;
        let rewrite = match self.job().action {
            Action::DROP_TABLE => Rewrite::DropTable,
            Action::DROP_VIEW => Rewrite::DropView,
            _ => Rewrite::None,
        };
        let mut event = self.event(pre.schema.clone(), Some(Arc::clone(&pre)), None);
        event.dropped = std::mem::take(&mut event.created);
        event.pre_info = Some(pre);
        event.rewrite = rewrite;
        Ok(vec![event])
    }

    /// TRUNCATE TABLE and RENAME TABLE: the table goes and comes back under another id, name or database.
    fn replace_whole(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let info = self.wrap(self.job().schema_id, self.job().table()?)?;
        let pre = self.remove(self.job().table_id)?;
        self.insert(&info);
        let schema = info.schema.clone();
        Ok(vec![self.event(schema, Some(info), Some(pre))])
    }

    fn rename_tables(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let finished = self.finished;
        let renames = finished.job.renames()?;
        let mut before = Vec::with_capacity(renames.len());
        for (args, _) in &renames {
            before.push(self.remove(args.table_id)?);
        }
        let mut events = Vec::with_capacity(renames.len());
        for ((args, model), pre) in renames.into_iter().zip(before) {
            let info = self.wrap(args.new_schema_id, model)?;
            self.insert(&info);
            let old_table = match args.old_table_name.original.is_empty() {
                true => pre.name.clone(),
                false => args.old_table_name.original,
            };
            let mut event = self.event(info.schema.clone(), Some(info), Some(pre));
            event.action = Action::RENAME_TABLE;
            event.rewrite = Rewrite::Rename {
                old_schema: args.old_schema_name.original,
                old_table,
            };
            events.push(event);
        }
        Ok(events)
    }

    fn create_tables(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let finished = self.finished;
        let mut events = Vec::new();
        for (at, model) in finished.job.binlog.multiple_table_infos.iter().enumerate() {
            let info = self.wrap(self.job().schema_id, model)?;
            self.insert(&info);
            let mut event = self.event(info.schema.clone(), Some(info), None);
            event.rewrite = Rewrite::Part(at);
            events.push(event);
        }
        Ok(events)
    }

    /// The job's own table becomes a partition, and the partition a table of its own; ids stay with the rows.
    fn exchange_partition(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let model = self.job().table()?;
        let partitioned = self
            .head
            .tables
            .get(&model.id)
            .cloned()
            .ok_or_else(|| self.not_found(model.id))?;
        let info = self.wrap(partitioned.schema_id, model)?;
        let left: Vec<i64> = partitioned
            .physical_ids
            .iter()
            .copied()
            .filter(|id| !info.physical_ids.contains(id))
            .collect();
        let [left] = left[..] else {
            return Err(self.job().invalid(format!(
                "{} partitions leave the table, 1 expected",
                left.len()
            )));
        };
        let pre = self.remove(self.job().table_id)?;
        let mut table = TableInfo::clone(&pre);
        (table.id, table.physical_ids, table.version) = (left, vec![left], self.finished.commit_ts);
        self.insert(&Arc::new(table));
        self.insert(&info);
        let mut event = self.event(
            info.schema.clone(),
            Some(info),
            Some(Arc::clone(&partitioned)),
        );
        (event.created, event.dropped) = (Vec::new(), Vec::new());
        event.rewrite = Rewrite::Exchange {
            schema: pre.schema.clone(),
            table: pre.name.clone(),
        };
        Ok(vec![event])
    }

    /// Everything else that changes a table in place; a job about something else changes nothing here.
    fn alter(mut self) -> Result<Vec<DdlEvent>, SchemaError> {
        let job = &self.finished.job;
        let Some(model) = &job.binlog.table_info else {
            let schema = self
                .head
                .schemas
                .get(&job.schema_id)
                .cloned()
                .unwrap_or_default();
            return Ok(vec![self.event(schema, None, None)]);
        };
        // Partitioning gives the table another id; the job names the one before.
        let tables = &mut self.head.tables;
        let pre = match tables
            .remove(&model.id)
            .or_else(|| tables.remove(&job.table_id))
        {
            Some(pre) => pre,
            None if job.action.is_emitted(self.compat) => return Err(self.not_found(model.id)),
            None => return Ok(Vec::new()),
        };
        let mut info = TableInfo::new(
            pre.schema_id,
            &pre.schema,
            self.finished.commit_ts,
            model,
            self.compat,
        );
        if self.compat == Compat::V4_0_9 {
            info.inherit_eligibility(&pre);
        }
        let info = Arc::new(info);
        self.insert(&info);
        Ok(vec![self.event(pre.schema.clone(), Some(info), Some(pre))])
    }
}
