//! ALTER TABLE of a table's partitions: what TiDB checks, the jobs, and MariaDB's part.

use tidb_sql::ast::{PartitionBy, PartitionDef, PartitionNames};

use super::super::build::partition::{self as build, Builder};
use super::super::build::partition_check as check;
use super::super::build::partition_interval as interval;
use super::super::build::statement::{PartitionChange, TableName};
use super::super::model::{
    Action, CiStr, PartitionDefinition, PartitionInfo, PartitionType, TableInfo,
};
use super::super::{Database, DdlError, auto_ids::Counter, mariadb, mariadb_partition};
use super::exchange::{Exchange, exchange};
use super::planner::Planner;
use super::reorganize::{Reorganization, reorganize, replaced, whole};
use super::{names, partition as jobs, partition_error as refuse, sql_error};

/// The name of what REMOVE PARTITIONING puts all rows into.
const COLLAPSED: &str = "CollapsedPartitions";

/// Carries a change out.
pub(crate) fn change(
    p: &mut Planner<'_>,
    db: &Database,
    table: &TableInfo,
    what: &PartitionChange,
) -> Result<(), DdlError> {
    refuse_old(p, table, what)?;
    match what {
        PartitionChange::By(by) => return partition_by(p, db, table, by),
        PartitionChange::Refused(what) => {
            return Err(sql_error::refused(8200, format!("Unsupported {what}")));
        }
        _ => {}
    }
    let Some(partition) = table.partitions() else {
        return Err(refuse::not_partitioned());
    };
    let on = Partitioned {
        db,
        table,
        partition,
    };
    match what {
        PartitionChange::Add {
            definitions,
            if_not_exists,
            ..
        } if !partition.kind.is_hashed() => {
            if definitions.is_empty() {
                return Err(refuse::must_be_defined(partition.kind));
            }
            on.add(p, definitions, *if_not_exists)
        }
        PartitionChange::Add {
            definitions, count, ..
        } => {
            let more = count.unwrap_or(definitions.len() as u64);
            match more {
                0 => Err(refuse::none_added()),
                more => on.rehash(p, partition.definitions.len() as u64 + more, definitions),
            }
        }
        PartitionChange::Coalesce(fewer) => on.coalesce(p, *fewer),
        PartitionChange::Drop { names, if_exists } => on.drop(p, names, *if_exists),
        PartitionChange::Truncate(names) => on.truncate(p, names),
        PartitionChange::Reorganize { names, into } => on.reorganize(p, names, into),
        PartitionChange::Exchange {
            partition,
            table,
            validation,
        } => on.exchange(p, partition, table, *validation),
        PartitionChange::Remove => on.remove(p),
        PartitionChange::First(bound) => on.first(p, bound),
        PartitionChange::Last(bound) => on.last(p, bound),
        PartitionChange::By(_) | PartitionChange::Refused(_) => Ok(()),
    }
}

/// What 4.0 knows the grammar of only.
fn refuse_old(p: &Planner<'_>, table: &TableInfo, what: &PartitionChange) -> Result<(), DdlError> {
    if p.modern() {
        return Ok(());
    }
    let hashed = table.partitions().is_some_and(|p| p.kind.is_hashed());
    let what = match what {
        PartitionChange::Reorganize { .. } => "reorganize partition",
        PartitionChange::Exchange { .. } => "exchange partition",
        PartitionChange::Remove => "remove partitioning",
        PartitionChange::Add { .. } if hashed => "add partitions",
        PartitionChange::Coalesce(_) if hashed => "coalesce partitions",
        PartitionChange::By(_) => {
            return Err(sql_error::refused(
                1105,
                "alter table partition is unsupported",
            ));
        }
        _ => return Ok(()),
    };
    Err(sql_error::refused(8200, format!("Unsupported {what}")))
}

pub(super) fn builder<'a>(p: &Planner<'a>, table: &'a TableInfo) -> Builder<'a> {
    Builder {
        version: p.version(),
        query: p.query,
        table,
        zone: &p.session.zone,
    }
}

/// TiDB tells that it keeps no statistics over a reorganisation.
fn warn_statistics(p: &mut Planner<'_>, which: &str) -> Result<(), DdlError> {
    p.warn(
        "Warning",
        sql_error::refused(
            1105,
            format!(
                "The statistics of {which} partitions will be outdated after reorganizing partitions. Please use \
                 'ANALYZE TABLE' statement if you want to update it now"
            ),
        ),
    )
}

/// `ALTER TABLE … PARTITION BY`.
fn partition_by(
    p: &mut Planner<'_>,
    db: &Database,
    table: &TableInfo,
    by: &PartitionBy,
) -> Result<(), DdlError> {
    let plain = TableInfo {
        partition: None,
        ..table.clone()
    };
    let b = builder(p, &plain);
    let mut warnings = vec![];
    let built = build::partitions(&b, by, &mut warnings)?;
    p.plan.warnings.extend(warnings);
    let Some(mut into) = built else {
        return Ok(());
    };
    jobs::give_ids(p, &mut into);
    into.new_table_id = Some(p.new_id());
    let places = (0..whole(p, table).definitions.len()).collect();
    warn_statistics(p, "new")?;
    let changed = reorganize(
        p,
        db,
        table,
        Reorganization {
            action: Action::AlterTablePartitioning,
            places,
            into,
        },
    );
    tell_mariadb(p, db, table, &changed)
}

/// Lets MariaDB partition a table as it is to be.
fn tell_mariadb(
    p: &mut Planner<'_>,
    db: &Database,
    before: &TableInfo,
    after: &TableInfo,
) -> Result<(), DdlError> {
    let clause = match mariadb_partition::clause(p.query, after)? {
        Some(clause) => clause,
        None if mariadb_partition::clause(p.query, before)?.is_some() => {
            "REMOVE PARTITIONING".to_owned()
        }
        None => mariadb_partition::NOTHING.to_owned(),
    };
    alter(p, db, after, &clause);
    Ok(())
}

fn alter(p: &mut Planner<'_>, db: &Database, table: &TableInfo, clause: &str) {
    let name = mariadb::full_name(&db.info, &table.name.o);
    p.plan.mariadb.push(format!("ALTER TABLE {name} {clause}"));
}

/// A table that has partitions.
pub(super) struct Partitioned<'a> {
    db: &'a Database,
    pub(super) table: &'a TableInfo,
    pub(super) partition: &'a PartitionInfo,
}

impl Partitioned<'_> {
    /// New partitions of RANGE and LIST, with the table's method.
    pub(super) fn added(
        &self,
        p: &Planner<'_>,
        definitions: &[PartitionDef],
    ) -> Result<PartitionInfo, DdlError> {
        let b = builder(p, self.table);
        let mut added = PartitionInfo::new(p.version(), self.partition.kind);
        added.expr.clone_from(&self.partition.expr);
        added.columns.clone_from(&self.partition.columns);
        added.definitions = build::listed(&b, &added, definitions)?;
        added.num = definitions.len() as u64;
        Ok(added)
    }

    pub(super) fn add(
        &self,
        p: &mut Planner<'_>,
        definitions: &[PartitionDef],
        if_not_exists: bool,
    ) -> Result<(), DdlError> {
        let mut added = self.added(p, definitions)?;
        if self.partition.definitions.iter().any(|d| d.is_default()) {
            return Err(interval::refused(
                "ADD List partition, already contains DEFAULT partition. Please use REORGANIZE PARTITION instead",
            ));
        }
        let mut all = self.partition.clone();
        all.definitions.extend(added.definitions.iter().cloned());
        if let Err(error) = check::check(&builder(p, self.table), &all) {
            let same = error.code() == refuse::same_name("").code();
            return match same && if_not_exists {
                true => p.note(error),
                false => Err(error),
            };
        }
        jobs::give_ids(p, &mut added);
        let clause = mariadb_partition::definitions(p.query, self.table, &added)?;
        jobs::add(p, &self.db.info, self.table, added);
        alter(p, self.db, self.table, &format!("ADD PARTITION ({clause})"));
        Ok(())
    }

    /// Another number of partitions of HASH and KEY: all rows move.
    fn rehash(
        &self,
        p: &mut Planner<'_>,
        count: u64,
        named: &[PartitionDef],
    ) -> Result<(), DdlError> {
        let b = builder(p, self.table);
        let mut into = PartitionInfo::new(p.version(), self.partition.kind);
        into.expr.clone_from(&self.partition.expr);
        into.columns.clone_from(&self.partition.columns);
        into.definitions = build::hashed(&b, self.partition, named, count)?;
        into.num = count;
        check::check(&b, &into)?;
        self.move_rows(p, (0..self.partition.definitions.len()).collect(), into)
    }

    fn move_rows(
        &self,
        p: &mut Planner<'_>,
        places: Vec<usize>,
        mut into: PartitionInfo,
    ) -> Result<(), DdlError> {
        jobs::give_ids(p, &mut into);
        warn_statistics(p, "related")?;
        let changed = reorganize(
            p,
            self.db,
            self.table,
            Reorganization {
                action: Action::ReorganizePartition,
                places,
                into,
            },
        );
        tell_mariadb(p, self.db, self.table, &changed)
    }

    fn coalesce(&self, p: &mut Planner<'_>, fewer: u64) -> Result<(), DdlError> {
        let count = self.partition.definitions.len() as u64;
        if !self.partition.kind.is_hashed() {
            return Err(refuse::coalesce_only_hashed());
        }
        match count.checked_sub(fewer) {
            _ if fewer == 0 => Err(refuse::none_coalesced()),
            None | Some(0) => Err(refuse::last_partition()),
            Some(left) => self.rehash(p, left, &[]),
        }
    }

    fn drop(&self, p: &mut Planner<'_>, names: &[String], if_exists: bool) -> Result<(), DdlError> {
        if self.partition.kind.is_hashed() {
            return Err(refuse::only_range_list("DROP"));
        }
        if !p.modern() && names.len() > 1 {
            return Err(sql_error::refused(1105, "can't run multi schema change"));
        }
        if self.partition.definitions.len() <= names.len() {
            return Err(refuse::last_partition());
        }
        let mut places = vec![];
        for name in names {
            match self.partition.position(name) {
                Some(place) if !places.contains(&place) => places.push(place),
                _ if if_exists => return p.note(refuse::not_in_list("DROP")),
                _ => return Err(refuse::not_in_list("DROP")),
            }
        }
        self.drop_places(p, &places);
        Ok(())
    }

    pub(super) fn drop_places(&self, p: &mut Planner<'_>, places: &[usize]) {
        jobs::drop(p, &self.db.info, self.table, self.partition, places);
        let clause = format!("DROP PARTITION {}", self.quoted(places));
        alter(p, self.db, self.table, &clause);
    }

    pub(super) fn quoted(&self, places: &[usize]) -> String {
        let names: Vec<String> = places
            .iter()
            .filter_map(|n| self.partition.definitions.get(*n))
            .map(|d| mariadb::quoted(&d.name.o))
            .collect();
        names.join(", ")
    }

    fn place(&self, name: &str) -> Result<usize, DdlError> {
        self.partition
            .position(name)
            .ok_or_else(|| refuse::unknown_partition(name, &self.table.name.o))
    }

    /// MariaDB has to do its part with the same rows.
    fn refuse_undivided(&self, p: &Planner<'_>, what: &str) -> Result<(), DdlError> {
        match mariadb_partition::is_divided(self.table) {
            true => Ok(()),
            false => Err(p.unsupported(format!(
                "{what} of tables partitioned by KEY, or by HASH of an UNSIGNED BIGINT that may be NULL"
            ))),
        }
    }

    fn truncate(&self, p: &mut Planner<'_>, names: &PartitionNames) -> Result<(), DdlError> {
        let mut places: Vec<usize> = match names {
            PartitionNames::All => (0..self.partition.definitions.len()).collect(),
            PartitionNames::Names(names) => names
                .iter()
                .map(|name| self.place(name))
                .collect::<Result<_, _>>()?,
        };
        let mut seen = vec![];
        places.retain(|place| {
            !seen.contains(place) && {
                seen.push(*place);
                true
            }
        });
        self.refuse_undivided(p, "TRUNCATE PARTITION")?;
        jobs::truncate(p, &self.db.info, self.table, self.partition, &places);
        let clause = format!("TRUNCATE PARTITION {}", self.quoted(&places));
        alter(p, self.db, self.table, &clause);
        Ok(())
    }

    fn reorganize(
        &self,
        p: &mut Planner<'_>,
        names: &[String],
        into: &[PartitionDef],
    ) -> Result<(), DdlError> {
        if self.partition.kind.is_hashed() {
            return match names.len() == into.len() {
                true => Err(p.unsupported("REORGANIZE PARTITION of HASH and KEY")),
                false => Err(refuse::reorganize_same_number()),
            };
        }
        let mut places = vec![];
        for name in names {
            let place = self.partition.position(name);
            let place = place.ok_or_else(refuse::wrong_name)?;
            if places.contains(&place) {
                return Err(refuse::same_name(name));
            }
            places.push(place);
        }
        places.sort_unstable();
        let first = places.first().copied().unwrap_or_default();
        let end = places.last().map_or(0, |last| last + 1);
        if self.partition.kind == PartitionType::Range && end - first != places.len() {
            return Err(refuse::not_consecutive());
        }
        let added = self.added(p, into)?;
        let mut all = self.partition.clone();
        all.definitions = replaced(&self.partition.definitions, &places, &added.definitions);
        let b = builder(p, self.table);
        check::check(&b, &all)?;
        if self.partition.kind == PartitionType::Range {
            self.same_range(p, &added, end)?;
        }
        self.move_rows(p, places, added)
    }

    /// The upper bound stays, but for the last partition's, which may rise.
    fn same_range(
        &self,
        p: &Planner<'_>,
        added: &PartitionInfo,
        end: usize,
    ) -> Result<(), DdlError> {
        let before = self.partition.definitions.get(end - 1);
        let (Some(before), Some(after)) = (before, added.definitions.last()) else {
            return Ok(());
        };
        let rises = || {
            let both = PartitionInfo {
                definitions: vec![before.clone(), after.clone()],
                ..self.partition.clone()
            };
            check::ranges(&builder(p, self.table), &both).is_ok()
        };
        let is_last = end == self.partition.definitions.len();
        match before.less_than == after.less_than || is_last && rises() {
            true => Ok(()),
            false => Err(refuse::outside_range()),
        }
    }

    fn remove(&self, p: &mut Planner<'_>) -> Result<(), DdlError> {
        let version = p.version();
        let mut into = PartitionInfo::new(version, PartitionType::None);
        into.expr.clone_from(&self.partition.expr);
        into.columns = Some(vec![]);
        into.definitions
            .push(PartitionDefinition::new(version, CiStr::new(COLLAPSED)));
        into.num = 1;
        jobs::give_ids(p, &mut into);
        into.new_table_id = into.ids().first().copied();
        let changed = reorganize(
            p,
            self.db,
            self.table,
            Reorganization {
                action: Action::RemovePartitioning,
                places: (0..self.partition.definitions.len()).collect(),
                into,
            },
        );
        tell_mariadb(p, self.db, self.table, &changed)
    }

    fn exchange(
        &self,
        p: &mut Planner<'_>,
        name: &str,
        with: &TableName,
        validation: bool,
    ) -> Result<(), DdlError> {
        let (plain_db, plain) = names::base_table(p, with)?;
        let place = self.place(name)?;
        if plain.partitions().is_some() {
            return Err(sql_error::refused(
                1732,
                format!(
                    "Table to exchange with partition is partitioned: '{}'",
                    plain.name.o
                ),
            ));
        }
        self.same_definitions(plain)?;
        self.refuse_undivided(p, "EXCHANGE PARTITION")?;
        let numbered = |db: &Database, table| db.counter(table, Counter::RowId) > 0;
        if plain.has_row_id() && numbered(self.db, self.table) && numbered(plain_db, plain) {
            // Rows of one handle would meet when they move to one partition.
            let what = "EXCHANGE PARTITION of tables that have both given out _tidb_rowid";
            return Err(p.unsupported(what));
        }
        exchange(
            p,
            &Exchange {
                partitioned: (self.db, self.table),
                place,
                plain: (plain_db, plain),
                validation,
            },
        );
        p.warn(
            "Warning",
            sql_error::refused(
                1105,
                "after the exchange, please analyze related table of the exchange to update statistics",
            ),
        )?;
        let clause = format!(
            "EXCHANGE PARTITION {} WITH TABLE {}",
            self.quoted(&[place]),
            mariadb::full_name(&plain_db.info, &plain.name.o)
        );
        alter(p, self.db, self.table, &clause);
        Ok(())
    }

    /// Columns, keys and options of both have to be the same.
    fn same_definitions(&self, plain: &TableInfo) -> Result<(), DdlError> {
        let strip = |table: &TableInfo| {
            let mut columns = table.columns.clone();
            for column in &mut columns {
                column.comment.clear();
                column.origin_default = None;
                column.origin_default_bit = None;
            }
            let mut indexes = table.indexes.clone();
            for index in &mut indexes {
                index.comment.clear();
            }
            let layout = (table.pk_is_handle, table.is_common_handle);
            (
                columns,
                indexes,
                layout,
                table.charset.clone(),
                table.collate.clone(),
            )
        };
        match strip(self.table) == strip(plain) {
            true => Ok(()),
            false => Err(sql_error::refused(
                1736,
                "Tables have different definitions",
            )),
        }
    }
}
