//! Changes of partitions.

use super::cursor::Cursor;
use crate::ast::{AlterSpec, PartitionNames, PartitionTask};
use crate::{ParseError, Release};

impl Cursor<'_> {
    /// A change that is about partitions, if it is one.
    pub(super) fn partition_spec(&mut self) -> Result<Option<AlterSpec>, ParseError> {
        const TASKS: [(&str, PartitionTask); 7] = [
            ("TRUNCATE", PartitionTask::Truncate),
            ("CHECK", PartitionTask::Check),
            ("OPTIMIZE", PartitionTask::Optimize),
            ("REPAIR", PartitionTask::Repair),
            ("REBUILD", PartitionTask::Rebuild),
            ("IMPORT", PartitionTask::ImportTablespace),
            ("DISCARD", PartitionTask::DiscardTablespace),
        ];
        let task = TASKS
            .iter()
            .find(|(word, _)| self.eat_all(&[word, "PARTITION"]));
        if let Some((_, task)) = task {
            return self.partition_task(*task).map(Some);
        }
        if self.eat_all(&["COALESCE", "PARTITION"]) {
            return Ok(Some(AlterSpec::Coalesce {
                no_binlog: self.eat_no_binlog(),
                count: self.number()?,
            }));
        }
        if self.eat_all(&["REORGANIZE", "PARTITION"]) {
            return self.reorganize().map(Some);
        }
        if self.eat_all(&["EXCHANGE", "PARTITION"]) {
            let partition = self.name()?;
            self.expect_all(&["WITH", "TABLE"])?;
            let table = self.table_name()?;
            let validation = !self.eat_all(&["WITHOUT", "VALIDATION"]);
            if validation {
                self.eat_all(&["WITH", "VALIDATION"]);
            }
            return Ok(Some(AlterSpec::Exchange {
                partition,
                table,
                validation,
            }));
        }
        if self.is("PARTITION") {
            return self.one_partition().map(Some);
        }
        if self.eat_all(&["REMOVE", "PARTITIONING"]) {
            return Ok(Some(AlterSpec::RemovePartitioning));
        }
        if self.release() >= Release::V6_5 {
            return self.interval_partition();
        }
        Ok(None)
    }

    /// FIRST, LAST, MERGE and SPLIT of partitions by INTERVAL.
    fn interval_partition(&mut self) -> Result<Option<AlterSpec>, ParseError> {
        for (words, merge) in [
            (&["FIRST", "PARTITION", "LESS", "THAN"] as &[_], false),
            (&["MERGE", "FIRST", "PARTITION", "LESS", "THAN"], true),
        ] {
            if self.eat_all(words) {
                let bound = self.in_parentheses()?;
                return Ok(Some(AlterSpec::FirstPartition { bound, merge }));
            }
        }
        if self.eat_all(&["LAST", "PARTITION", "LESS", "THAN"]) {
            return Ok(Some(AlterSpec::LastPartition {
                bound: self.in_parentheses()?,
                no_binlog: self.eat_no_binlog(),
            }));
        }
        if self.eat_all(&["SPLIT", "MAXVALUE", "PARTITION", "LESS", "THAN"]) {
            return Ok(Some(AlterSpec::SplitMaxvalue(self.in_parentheses()?)));
        }
        Ok(None)
    }

    /// `PARTITION BY …`, or a partition with its options.
    fn one_partition(&mut self) -> Result<AlterSpec, ParseError> {
        if self.is_word_at(1, "BY") {
            return Ok(AlterSpec::PartitionBy(Box::new(self.partition_by()?)));
        }
        self.expect("PARTITION")?;
        let name = self.name()?;
        if self.eat_since(Release::V6_5, "ATTRIBUTES") {
            return Ok(AlterSpec::Attributes {
                partition: Some(name),
                value: self.stats_value()?,
            });
        }
        let options = self.partition_options()?;
        match options.is_empty() {
            true => Err(self.unexpected()),
            false => Ok(AlterSpec::PartitionOptions { name, options }),
        }
    }

    fn eat_no_binlog(&mut self) -> bool {
        self.eat("NO_WRITE_TO_BINLOG") || self.eat("LOCAL")
    }

    fn partition_task(&mut self, task: PartitionTask) -> Result<AlterSpec, ParseError> {
        let no_binlog = matches!(
            task,
            PartitionTask::Optimize | PartitionTask::Repair | PartitionTask::Rebuild
        ) && self.eat_no_binlog();
        let names = match self.eat("ALL") {
            true => PartitionNames::All,
            false => PartitionNames::Names(self.names()?),
        };
        if matches!(
            task,
            PartitionTask::ImportTablespace | PartitionTask::DiscardTablespace
        ) {
            self.expect("TABLESPACE")?;
        }
        Ok(AlterSpec::Partitions {
            task,
            no_binlog,
            names,
        })
    }

    fn reorganize(&mut self) -> Result<AlterSpec, ParseError> {
        let no_binlog = self.eat_no_binlog();
        if self.at_end() || self.is_sign(",") || self.is_sign(";") {
            return Ok(AlterSpec::Reorganize {
                no_binlog,
                names: Vec::new(),
                into: Vec::new(),
            });
        }
        let names = self.names()?;
        self.expect("INTO")?;
        Ok(AlterSpec::Reorganize {
            no_binlog,
            names,
            into: self.partition_defs()?,
        })
    }

    /// What stands behind ADD PARTITION.
    pub(super) fn add_partitions(&mut self) -> Result<AlterSpec, ParseError> {
        let if_not_exists = self.eat_if_not_exists();
        let no_binlog = self.eat_no_binlog();
        let (mut definitions, mut count) = (Vec::new(), None);
        if self.eat("PARTITIONS") {
            count = Some(self.number()?);
        } else {
            definitions = self.partition_defs()?;
        }
        Ok(AlterSpec::AddPartitions {
            if_not_exists,
            no_binlog,
            definitions,
            count,
        })
    }
}
