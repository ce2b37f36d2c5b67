//! Placement policies: they are kept, and named by tables and databases. Where regions are is not this cluster's business.

use super::super::build::column::check_name;
use super::super::model::{
    Action, DbInfo, InvolvingSchema, PolicyInfo, PolicyRef, SchemaState, TableInfo, Tree,
};
use super::super::plan::{QueuedJob, Write};
use super::super::{CiStr, Database, DdlError};
use super::planner::{Planner, Subject, on_db, on_table};
use super::{column, sql_error};
use tidb_sql::ast::PlacementOption;

/// The name that stands for none.
const DEFAULT: &str = "default";

/// The policy that a table or database is to have.
pub(super) fn named(p: &Planner<'_>, name: &str) -> Result<Option<PolicyRef>, DdlError> {
    if name.eq_ignore_ascii_case(DEFAULT) {
        return Ok(None);
    }
    let policy = p.catalog.policy(name).ok_or_else(|| unknown(name))?;
    Ok(Some(PolicyRef {
        id: policy.id,
        name: policy.name.clone(),
    }))
}

fn unknown(name: &str) -> DdlError {
    sql_error::refused(8239, format!("Unknown placement policy '{name}'"))
}

/// `CREATE PLACEMENT POLICY`.
pub(super) fn create(
    p: &mut Planner<'_>,
    name: &str,
    or_replace: bool,
    if_not_exists: bool,
    options: &[PlacementOption],
) -> Result<(), DdlError> {
    check_name("placement policy", name)?;
    if let Some(old) = p.catalog.policy(name).cloned() {
        if or_replace {
            return change(p, &old, options);
        }
        let error = sql_error::refused(8238, format!("Placement policy '{name}' already exists"));
        return if if_not_exists {
            p.note(error)
        } else {
            Err(error)
        };
    }
    let mut policy = settings(options)?;
    policy.id = p.catalog.last_policy_id() + 1;
    policy.name = CiStr::new(name);
    p.plan.steps.push(vec![Write::PolicyId(policy.id)]);
    let args = |policy: &PolicyInfo| {
        Tree::Object(vec![
            ("policy", Tree::Policy(Box::new(policy.clone()))),
            ("policy_name", Tree::name(&CiStr::default())),
            ("policy_id", Tree::Int(0)),
        ])
    };
    let mut queued = enqueue(p, Action::CreatePlacementPolicy, &policy, args(&policy));
    p.submit(&mut queued);
    policy.state = SchemaState::Public;
    queued.job.raw_args = args(&policy);
    let diff = p.diff(Action::CreatePlacementPolicy, policy.id, 0);
    let writes = vec![
        Write::PutPolicy(Box::new(policy)),
        Write::Diff(Box::new(diff)),
    ];
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}

/// `ALTER PLACEMENT POLICY`.
pub(super) fn alter(
    p: &mut Planner<'_>,
    name: &str,
    if_exists: bool,
    options: &[PlacementOption],
) -> Result<(), DdlError> {
    match p.catalog.policy(name).cloned() {
        Some(old) => change(p, &old, options),
        None if if_exists => p.note(unknown(name)),
        None => Err(unknown(name)),
    }
}

fn change(
    p: &mut Planner<'_>,
    old: &PolicyInfo,
    options: &[PlacementOption],
) -> Result<(), DdlError> {
    let policy = PolicyInfo {
        id: old.id,
        name: old.name.clone(),
        state: old.state,
        ..settings(options)?
    };
    let queued_policy = PolicyInfo {
        state: SchemaState::None,
        ..policy.clone()
    };
    let args = Tree::Object(vec![
        ("policy", Tree::Policy(Box::new(queued_policy))),
        ("policy_name", Tree::name(&CiStr::default())),
        ("policy_id", policy.id.into()),
    ]);
    let mut queued = enqueue(p, Action::AlterPlacementPolicy, &policy, args);
    p.submit(&mut queued);
    let diff = p.diff(Action::AlterPlacementPolicy, policy.id, 0);
    let writes = vec![
        Write::PutPolicy(Box::new(policy)),
        Write::Diff(Box::new(diff)),
    ];
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}

/// `DROP PLACEMENT POLICY`.
pub(super) fn drop(p: &mut Planner<'_>, name: &str, if_exists: bool) -> Result<(), DdlError> {
    let Some(mut policy) = p.catalog.policy(name).cloned() else {
        return match if_exists {
            true => p.note(unknown(name)),
            false => Err(unknown(name)),
        };
    };
    if is_used(p, policy.id) {
        let message = format!("Placement policy '{}' is still in use", policy.name.o);
        return Err(sql_error::refused(8241, message));
    }
    let args = Tree::Object(vec![
        ("policy_name", Tree::name(&policy.name)),
        ("policy_id", policy.id.into()),
    ]);
    let mut queued = enqueue(p, Action::DropPlacementPolicy, &policy, args);
    p.submit(&mut queued);
    for state in [SchemaState::WriteOnly, SchemaState::DeleteOnly] {
        policy.state = state;
        let diff = p.diff(Action::DropPlacementPolicy, policy.id, 0);
        let writes = vec![
            Write::PutPolicy(Box::new(policy.clone())),
            Write::Diff(Box::new(diff)),
        ];
        p.running(&mut queued, state, writes);
    }
    let diff = p.diff(Action::DropPlacementPolicy, policy.id, 0);
    let writes = vec![Write::DeletePolicy(policy.id), Write::Diff(Box::new(diff))];
    p.done(queued, SchemaState::None, writes);
    Ok(())
}

fn is_used(p: &Planner<'_>, id: i64) -> bool {
    let names =
        |policy: &Option<Option<PolicyRef>>| policy.iter().flatten().any(|policy| policy.id == id);
    p.catalog.databases().any(|db| {
        names(&db.info.policy_ref_info) || db.tables().any(|table| names(&table.policy_ref_info))
    })
}

/// A job on a policy, whose id and name stand where a database's do.
fn enqueue(p: &mut Planner<'_>, action: Action, policy: &PolicyInfo, args: Tree) -> QueuedJob {
    let subject = Subject {
        db_id: policy.id,
        db: &policy.name.o,
        table_id: 0,
        table: "",
    };
    let mut queued = p.enqueue(action, &subject, args);
    queued.job.involving_schema_info = vec![InvolvingSchema::policy(&policy.name.l)];
    queued
}

fn settings(options: &[PlacementOption]) -> Result<PolicyInfo, DdlError> {
    let mut out = PolicyInfo::default();
    for option in options {
        match option {
            PlacementOption::Number("FOLLOWERS", 0) => {
                return Err(sql_error::refused(
                    8243,
                    "Invalid placement option FOLLOWERS: must be positive",
                ));
            }
            PlacementOption::Number(name, n) => {
                let to = match *name {
                    "FOLLOWERS" => &mut out.followers,
                    "VOTERS" => &mut out.voters,
                    _ => &mut out.learners,
                };
                *to = *n;
            }
            PlacementOption::Text(name, text) => {
                let to = match *name {
                    "PRIMARY_REGION" => &mut out.primary_region,
                    "REGIONS" => &mut out.regions,
                    "SCHEDULE" => &mut out.schedule,
                    "CONSTRAINTS" => &mut out.constraints,
                    "LEADER_CONSTRAINTS" => &mut out.leader_constraints,
                    "FOLLOWER_CONSTRAINTS" => &mut out.follower_constraints,
                    "VOTER_CONSTRAINTS" => &mut out.voter_constraints,
                    "LEARNER_CONSTRAINTS" => &mut out.learner_constraints,
                    _ => &mut out.survival_preferences,
                };
                to.clone_from(text);
            }
        }
    }
    Ok(out)
}

fn args(policy: Option<&PolicyRef>) -> Tree {
    let reference = policy.map(|policy| {
        let members = vec![("id", policy.id.into()), ("name", Tree::name(&policy.name))];
        ("placement_policy_ref", Tree::Object(members))
    });
    Tree::Object(reference.into_iter().collect())
}

/// What a job on a table touches when the table has a policy; else nothing is said.
pub(super) fn involved(db: &DbInfo, table: &TableInfo) -> Vec<InvolvingSchema> {
    let policy = table.policy_ref_info.iter().flatten().next();
    policy.map_or_else(Vec::new, |policy| {
        vec![
            InvolvingSchema::table(&db.name.l, &table.name.l),
            InvolvingSchema::policy(&policy.name.l).shared(),
        ]
    })
}

/// `ALTER TABLE … PLACEMENT POLICY`.
pub(super) fn alter_table(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    name: &str,
) -> Result<(), DdlError> {
    let policy = named(p, name)?;
    let args = args(policy.as_ref());
    let mut info = table.clone();
    info.policy_ref_info = Some(policy);
    let involved = involved(db, &info);
    let mut queued = p.enqueue(Action::AlterTablePlacement, &on_table(db, &info), args);
    queued.job.involving_schema_info = involved;
    p.submit(&mut queued);
    let writes = column::change(p, Action::AlterTablePlacement, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info));
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}

/// `ALTER DATABASE … PLACEMENT POLICY`.
pub(super) fn alter_database(
    p: &mut Planner<'_>,
    db: &Database,
    name: &str,
) -> Result<(), DdlError> {
    let policy = named(p, name)?;
    let args = args(policy.as_ref());
    let mut involved = vec![InvolvingSchema::table(&db.info.name.l, "*")];
    involved.extend(
        policy
            .iter()
            .map(|policy| InvolvingSchema::policy(&policy.name.l).shared()),
    );
    let info = DbInfo {
        policy_ref_info: Some(policy),
        ..db.info.clone()
    };
    let mut queued = p.enqueue(Action::ModifySchemaPlacement, &on_db(&info), args);
    queued.job.involving_schema_info = involved;
    p.submit(&mut queued);
    let diff = p.diff(Action::ModifySchemaPlacement, info.id, 0);
    queued.job.binlog.db_info = Some(Box::new(info.clone()));
    let mut writes = vec![Write::Diff(Box::new(diff))];
    if info != db.info {
        writes.push(Write::PutDb(Box::new(info)));
    }
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}
