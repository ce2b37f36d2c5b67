//! Views, sequences, placement policies, recovery.

use super::Writer;
use crate::ast::{CreateView, PlacementOption, Recover, SequenceOption, Statement, User};

impl Writer {
    pub(super) fn other(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateView(view) => self.create_view(view),
            Statement::DropView { if_exists, names } => {
                self.text("DROP VIEW ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.list(names, ", ", Self::table_name);
            }
            Statement::CreateSequence {
                if_not_exists,
                name,
                options,
                table_options,
            } => {
                self.text("CREATE SEQUENCE ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.table_name(name);
                self.sequence_options(options);
                for option in table_options {
                    self.text(" ");
                    self.table_option(option);
                }
            }
            Statement::AlterSequence {
                if_exists,
                name,
                options,
            } => {
                self.text("ALTER SEQUENCE ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.table_name(name);
                self.sequence_options(options);
            }
            Statement::DropSequence { if_exists, names } => {
                self.text("DROP SEQUENCE ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.list(names, ", ", Self::table_name);
            }
            Statement::RecoverTable(recover) => {
                self.text("RECOVER TABLE ");
                match recover {
                    Recover::Table(name, jobs) => {
                        self.table_name(name);
                        if let Some(jobs) = jobs {
                            self.text(" ");
                            self.number(jobs);
                        }
                    }
                    Recover::Job(job) => {
                        self.text("BY JOB ");
                        self.number(job);
                    }
                }
            }
            Statement::FlashbackTable { name, to } => {
                self.text("FLASHBACK TABLE ");
                self.table_name(name);
                self.new_name(to.as_deref());
            }
            Statement::CreatePlacementPolicy {
                or_replace,
                if_not_exists,
                name,
                options,
            } => {
                self.text("CREATE ");
                self.text_if(*or_replace, "OR REPLACE ");
                self.text("PLACEMENT POLICY ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.name(name);
                self.placement_options(options);
            }
            Statement::AlterPlacementPolicy {
                if_exists,
                name,
                options,
            } => {
                self.text("ALTER PLACEMENT POLICY ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
                self.placement_options(options);
            }
            Statement::DropPlacementPolicy { if_exists, name } => {
                self.text("DROP PLACEMENT POLICY ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
            }
            // Written by `statement`.
            _ => {}
        }
    }

    fn create_view(&mut self, view: &CreateView) {
        self.text("CREATE ");
        self.text_if(view.or_replace, "OR REPLACE ");
        self.equals("ALGORITHM");
        self.text(view.algorithm);
        self.text(" DEFINER = ");
        match &view.definer {
            User::Current => self.text("CURRENT_USER"),
            User::Named { name, host } => {
                self.name(name);
                self.text("@");
                self.name(host);
            }
        }
        self.text(if view.invoker {
            " SQL SECURITY INVOKER VIEW "
        } else {
            " SQL SECURITY DEFINER VIEW "
        });
        self.table_name(&view.name);
        if !view.columns.is_empty() {
            self.text(" (");
            self.names(&view.columns, ",");
            self.text(")");
        }
        self.text(" AS ");
        self.query(&view.query);
        self.text_if(view.local_check, " WITH LOCAL CHECK OPTION");
    }

    fn sequence_options(&mut self, options: &[SequenceOption]) {
        for option in options {
            self.text(" ");
            let (text, number) = match option {
                SequenceOption::Increment(n) => ("INCREMENT BY ", Some(n)),
                SequenceOption::Start(n) => ("START WITH ", Some(n)),
                SequenceOption::MinValue(n) => ("MINVALUE ", Some(n)),
                SequenceOption::NoMinValue => ("NO MINVALUE", None),
                SequenceOption::MaxValue(n) => ("MAXVALUE ", Some(n)),
                SequenceOption::NoMaxValue => ("NO MAXVALUE", None),
                SequenceOption::Cache(n) => ("CACHE ", Some(n)),
                SequenceOption::NoCache => ("NOCACHE", None),
                SequenceOption::Cycle => ("CYCLE", None),
                SequenceOption::NoCycle => ("NOCYCLE", None),
                SequenceOption::Restart => ("RESTART", None),
                SequenceOption::RestartWith(n) => ("RESTART WITH ", Some(n)),
            };
            self.text(text);
            if let Some(number) = number {
                self.number(number);
            }
        }
    }

    fn placement_options(&mut self, options: &[PlacementOption]) {
        for option in options {
            self.text(" ");
            match option {
                PlacementOption::Number(name, value) => {
                    self.equals(name);
                    self.number(value);
                }
                PlacementOption::Text(name, value) => {
                    self.equals(name);
                    self.string(value);
                }
            }
        }
    }
}
