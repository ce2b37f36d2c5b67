//! TiDB's errors about partitions.

use super::super::DdlError;
use super::super::model::PartitionType;
use super::sql_error::refused;

pub(crate) fn requires_values(kind: &str, values: &str) -> DdlError {
    refused(
        1479,
        format!(
            "Syntax : {kind} PARTITIONING requires definition of VALUES {values} for each partition"
        ),
    )
}

pub(crate) fn wrong_values(kind: &str, values: &str) -> DdlError {
    refused(
        1480,
        format!("Only {kind} PARTITIONING can use VALUES {values} in partition definition"),
    )
}

pub(crate) fn max_not_last() -> DdlError {
    refused(
        1481,
        "MAXVALUE can only be used in last partition definition",
    )
}

pub(crate) fn wrong_number() -> DdlError {
    refused(
        1484,
        "Wrong number of partitions defined, mismatch with previous setting",
    )
}

pub(crate) fn wrong_expression() -> DdlError {
    refused(
        1486,
        "Constant, random or timezone-dependent expressions in (sub)partitioning function are not allowed",
    )
}

pub(crate) fn field_not_found() -> DdlError {
    refused(
        1488,
        "Field in list of fields for partition function not found in table",
    )
}

pub(crate) fn returns_wrong_type() -> DdlError {
    refused(1491, "The PARTITION function returns the wrong type")
}

pub(crate) fn must_be_defined(kind: PartitionType) -> DdlError {
    refused(
        1492,
        format!(
            "For {} partitions each partition must be defined",
            kind.text()
        ),
    )
}

pub(crate) fn not_increasing() -> DdlError {
    refused(
        1493,
        "VALUES LESS THAN value must be strictly increasing for each partition",
    )
}

pub(crate) fn multiple_definition() -> DdlError {
    refused(
        1495,
        "Multiple definition of same constant in list partitioning",
    )
}

pub(crate) fn too_many() -> DdlError {
    refused(
        1499,
        "Too many partitions (including subpartitions) were defined",
    )
}

pub(crate) fn subpartition() -> DdlError {
    refused(
        1500,
        "It is only possible to mix RANGE/LIST partitioning with HASH/KEY partitioning for subpartitioning",
    )
}

/// `key` is what kind of key it is.
pub(crate) fn unique_key(key: &str) -> DdlError {
    refused(
        1503,
        format!("A {key} must include all columns in the table's partitioning function"),
    )
}

pub(crate) fn not_partitioned() -> DdlError {
    refused(
        1505,
        "Partition management on a not partitioned table is not possible",
    )
}

pub(crate) fn not_in_list(what: &str) -> DdlError {
    refused(1507, format!("Error in list of partitions to {what}"))
}

pub(crate) fn last_partition() -> DdlError {
    refused(1508, "Cannot remove all partitions, use DROP TABLE instead")
}

pub(crate) fn coalesce_only_hashed() -> DdlError {
    refused(
        1509,
        "COALESCE PARTITION can only be used on HASH/KEY partitions",
    )
}

pub(crate) fn reorganize_same_number() -> DdlError {
    refused(
        1510,
        "REORGANIZE PARTITION can only be used to reorganize partitions not to change their numbers",
    )
}

pub(crate) fn only_range_list(what: &str) -> DdlError {
    refused(
        1512,
        format!("{what} PARTITION can only be used on RANGE/LIST partitions"),
    )
}

pub(crate) fn none_added() -> DdlError {
    refused(1514, "At least one partition must be added")
}

pub(crate) fn none_coalesced() -> DdlError {
    refused(1515, "At least one partition must be coalesced")
}

pub(crate) fn same_name(name: &str) -> DdlError {
    refused(1517, format!("Duplicate partition name {name}"))
}

pub(crate) fn not_consecutive() -> DdlError {
    refused(
        1519,
        "When reorganizing a set of partitions they must be in consecutive order",
    )
}

pub(crate) fn outside_range() -> DdlError {
    refused(
        1520,
        "Reorganize of range partitions cannot change total ranges except for last partition where it can extend \
         the range",
    )
}

pub(crate) fn out_of_domain() -> DdlError {
    refused(
        1563,
        "Partition constant is out of partition function domain",
    )
}

pub(crate) fn function_not_allowed() -> DdlError {
    refused(1564, "This partition function is not allowed")
}

pub(crate) fn null_in_less_than() -> DdlError {
    refused(1566, "Not allowed to use NULL value in VALUES LESS THAN")
}

pub(crate) fn wrong_name() -> DdlError {
    refused(1567, "Incorrect partition name")
}

pub(crate) fn column_list() -> DdlError {
    refused(
        1653,
        "Inconsistency in usage of column lists for partitioning",
    )
}

pub(crate) fn wrong_type_of_value() -> DdlError {
    refused(1654, "Partition column values of incorrect type")
}

pub(crate) fn too_many_values(kind: PartitionType) -> DdlError {
    refused(
        1657,
        format!(
            "Cannot have more than one value for this type of {} partitioning",
            kind.text()
        ),
    )
}

pub(crate) fn field_type(name: &str) -> DdlError {
    refused(
        1659,
        format!("Field '{name}' is of a not allowed type for this type of partitioning"),
    )
}

pub(crate) fn not_int(partition: &str) -> DdlError {
    refused(
        1697,
        format!("VALUES value for partition '{partition}' must have type INT"),
    )
}

pub(crate) fn unknown_partition(name: &str, table: &str) -> DdlError {
    refused(
        1735,
        format!("Unknown partition '{name}' in table '{table}'"),
    )
}

pub(crate) fn column_in_function(name: &str) -> DdlError {
    refused(
        3855,
        format!(
            "Column '{name}' has a partitioning function dependency and cannot be dropped or renamed"
        ),
    )
}

/// A unique index that does not hold the partitioning columns, and is not asked to be GLOBAL.
pub(crate) fn global_index(name: &str) -> DdlError {
    refused(
        8264,
        format!(
            "Global Index is needed for index '{name}', since the unique index is not including all partitioning \
             columns, and GLOBAL is not given as IndexOption"
        ),
    )
}
