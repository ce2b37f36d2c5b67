//! Columns and their types.

use super::Writer;
use crate::Release;
use crate::ast::{ColumnDef, ColumnOption, DataType, Expr, Function, TypeKind};

impl Writer {
    pub(super) fn column(&mut self, column: &ColumnDef) {
        self.column_name(&column.name);
        self.text(" ");
        self.data_type(&column.data_type);
        for option in &column.options {
            self.text(" ");
            self.column_option(option);
        }
    }

    pub(super) fn data_type(&mut self, data_type: &DataType) {
        self.text(data_type.kind.keyword());
        if matches!(data_type.kind, TypeKind::Enum | TypeKind::Set) {
            self.text("(");
            self.list(&data_type.members, ",", |w, member| w.string(member));
            self.text(")");
        } else if let Some(length) = data_type.length {
            self.text("(");
            self.number(length);
            if let Some(scale) = data_type.scale {
                self.text(",");
                self.number(scale);
            }
            self.text(")");
        }
        self.text_if(data_type.unsigned, " UNSIGNED");
        self.text_if(data_type.zerofill, " ZEROFILL");
        self.text_if(data_type.binary, " BINARY");
        if let Some(charset) = &data_type.charset
            && data_type.kind.is_text()
            && !matches!(data_type.kind, TypeKind::Enum | TypeKind::Set)
        {
            self.text(" CHARACTER SET ");
            self.text(&charset.to_uppercase());
        }
    }

    fn column_option(&mut self, option: &ColumnOption) {
        match option {
            ColumnOption::PrimaryKey { clustering, global } => {
                self.text("PRIMARY KEY");
                self.clustering(*clustering, " ");
                self.text_if(*global, " GLOBAL");
            }
            ColumnOption::Unique { global } => {
                self.text("UNIQUE KEY");
                self.text_if(*global, " GLOBAL");
            }
            ColumnOption::NotNull => self.text("NOT NULL"),
            ColumnOption::Null => self.text("NULL"),
            ColumnOption::AutoIncrement => self.text("AUTO_INCREMENT"),
            ColumnOption::AutoRandom(random) => self.special("auto_rand", |w| {
                w.text("AUTO_RANDOM");
                if let Some(shard) = random.shard_bits {
                    w.text("(");
                    w.number(shard);
                    if let Some(range) = random.range_bits {
                        w.text(", ");
                        w.number(range);
                    }
                    w.text(")");
                }
            }),
            ColumnOption::Default(value) => {
                self.text("DEFAULT ");
                self.default_value(value);
            }
            ColumnOption::OnUpdate(value) => {
                self.text("ON UPDATE ");
                self.expr(value);
            }
            ColumnOption::Comment(text) => {
                self.text("COMMENT ");
                self.string_value(text);
            }
            ColumnOption::Generated { expr, stored } => {
                self.text("GENERATED ALWAYS AS(");
                self.expr(expr);
                self.text(if *stored { ") STORED" } else { ") VIRTUAL" });
            }
            ColumnOption::References(reference) => self.reference(reference),
            ColumnOption::Collate(name) => {
                self.text("COLLATE ");
                self.text(name);
            }
            ColumnOption::Check {
                name,
                expr,
                enforced,
            } => self.check(name.as_deref(), expr, *enforced),
            ColumnOption::Format(format) => {
                self.text("COLUMN_FORMAT ");
                self.text(format);
            }
            ColumnOption::Storage(media) => {
                self.text("STORAGE ");
                self.text(media);
            }
        }
    }

    /// Calls stand in parentheses, but for the time; before 8.5 none does.
    fn default_value(&mut self, value: &Expr) {
        let is_now = |name: &str| name.eq_ignore_ascii_case("CURRENT_TIMESTAMP");
        let bare = match value {
            _ if self.release < Release::V8_5 => true,
            Expr::Function(Function::Plain { name, .. }) => is_now(name),
            Expr::Function(_) => false,
            _ => true,
        };
        self.text_if(!bare, "(");
        self.expr(value);
        self.text_if(!bare, ")");
    }

    pub(super) fn check(&mut self, name: Option<&str>, expr: &Expr, enforced: bool) {
        if let Some(name) = name {
            self.text("CONSTRAINT ");
            self.name(name);
            self.text(" ");
        }
        self.text("CHECK(");
        self.expr(expr);
        self.text(if enforced {
            ") ENFORCED"
        } else {
            ") NOT ENFORCED"
        });
    }
}
