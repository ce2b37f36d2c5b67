use serde::{Deserialize, Serialize};

/// What makes a table a view (`docs/spec/tidb-schema.md §3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewInfo {
    /// ALGORITHM: 0 UNDEFINED, 1 MERGE, 2 TEMPTABLE.
    #[serde(rename = "view_algorithm")]
    pub algorithm: u8,
    /// DEFINER.
    #[serde(rename = "view_definer")]
    pub definer: Definer,
    /// SQL SECURITY: 0 DEFINER, 1 INVOKER.
    #[serde(rename = "view_security")]
    pub security: u8,
    /// The query, its stars written out.
    #[serde(rename = "view_select")]
    pub select: String,
    /// WITH CHECK OPTION: 0 LOCAL, 1 CASCADED.
    #[serde(rename = "view_checkoption")]
    pub check_option: u8,
    /// Null: the names of the columns are those of the table's.
    #[serde(rename = "view_cols")]
    pub columns: super::Opaque,
}

/// Who a view reads as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Definer {
    /// The user.
    pub username: String,
    /// The host.
    pub hostname: String,
    /// Whoever made it.
    pub current_user: bool,
    /// The account that logged in.
    pub auth_username: String,
    /// Its host.
    pub auth_hostname: String,
    /// How it logged in. Since 5.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_plugin: Option<String>,
}
