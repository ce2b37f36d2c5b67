//! Partitions.

use tidb_sql::ast::{
    AlterSpec, PartitionBy, PartitionDef, PartitionNames, PartitionTask, TableOption,
};

use super::{Reader, statement::table_name};
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::statement::PartitionChange;

impl Reader<'_> {
    pub(super) fn partition_by(self, by: &PartitionBy) -> Result<PartitionBy, DdlError> {
        if by.update_indexes.iter().any(|(_, global)| *global) {
            return Err(self.unsupported("GLOBAL indexes"));
        }
        self.definitions(&by.definitions)?;
        Ok(by.clone())
    }

    fn definitions(self, definitions: &[PartitionDef]) -> Result<Vec<PartitionDef>, DdlError> {
        let options = definitions.iter().flat_map(|d| &d.options);
        for option in options {
            if matches!(option, TableOption::PlacementPolicy(_)) {
                return Err(self.unsupported("placement policies"));
            }
        }
        Ok(definitions.to_vec())
    }

    /// A change of partitions, if it is one.
    pub(super) fn partition_change(
        self,
        spec: &AlterSpec,
    ) -> Result<Option<PartitionChange>, DdlError> {
        Ok(Some(match spec {
            AlterSpec::PartitionBy(by) => PartitionChange::By(Box::new(self.partition_by(by)?)),
            AlterSpec::RemovePartitioning => PartitionChange::Remove,
            AlterSpec::AddPartitions {
                if_not_exists,
                definitions,
                count,
                ..
            } => PartitionChange::Add {
                definitions: self.definitions(definitions)?,
                count: *count,
                if_not_exists: *if_not_exists,
            },
            AlterSpec::FirstPartition {
                bound,
                merge: false,
            } => PartitionChange::First(bound.clone()),
            AlterSpec::FirstPartition { .. } => {
                return Err(self.unsupported("MERGE FIRST PARTITION"));
            }
            AlterSpec::LastPartition { bound, .. } => PartitionChange::Last(bound.clone()),
            AlterSpec::SplitMaxvalue(_) => {
                return Err(self.unsupported("SPLIT MAXVALUE PARTITION"));
            }
            AlterSpec::Coalesce { count, .. } => PartitionChange::Coalesce(*count),
            AlterSpec::DropPartitions { if_exists, names } => PartitionChange::Drop {
                names: names.clone(),
                if_exists: *if_exists,
            },
            AlterSpec::Partitions { task, names, .. } => self.task(*task, names),
            AlterSpec::Reorganize { names, into, .. } => PartitionChange::Reorganize {
                names: names.clone(),
                into: self.definitions(into)?,
            },
            AlterSpec::Exchange {
                partition,
                table,
                validation,
            } => PartitionChange::Exchange {
                partition: partition.clone(),
                table: table_name(table),
                validation: *validation,
            },
            AlterSpec::PartitionOptions { .. } => {
                return Err(self.unsupported("placement policies"));
            }
            _ => return Ok(None),
        }))
    }

    fn task(self, task: PartitionTask, names: &PartitionNames) -> PartitionChange {
        PartitionChange::Refused(match task {
            PartitionTask::Truncate => return PartitionChange::Truncate(names.clone()),
            PartitionTask::Check => "check partition",
            PartitionTask::Optimize => "optimize partition",
            PartitionTask::Repair => "repair partition",
            PartitionTask::Rebuild => "rebuild partition",
            PartitionTask::ImportTablespace => "import partition tablespace",
            PartitionTask::DiscardTablespace => "discard partition tablespace",
        })
    }
}
