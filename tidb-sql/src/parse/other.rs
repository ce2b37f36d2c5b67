//! Views, sequences, placement policies.

use super::cursor::Cursor;
use crate::ast::{CreateView, PlacementOption, SequenceOption, Statement, User};
use crate::{ParseError, Release};

impl Cursor<'_> {
    /// CREATE VIEW from what stands behind `CREATE [OR REPLACE]` on.
    pub(super) fn create_view(&mut self, or_replace: bool) -> Result<Statement, ParseError> {
        let mut algorithm = "UNDEFINED";
        if self.eat("ALGORITHM") {
            self.expect_sign("=")?;
            algorithm = self.expect_any(&["UNDEFINED", "MERGE", "TEMPTABLE"])?;
        }
        let mut definer = User::Current;
        if self.eat("DEFINER") {
            self.expect_sign("=")?;
            definer = self.user()?;
        }
        let mut invoker = false;
        if self.eat("SQL") {
            self.expect("SECURITY")?;
            invoker = self.expect_any(&["DEFINER", "INVOKER"])? == "INVOKER";
        }
        self.expect("VIEW")?;
        let name = self.table_name()?;
        let columns = match self.is_sign("(") {
            true => self.parenthesised(Self::name)?,
            false => Vec::new(),
        };
        self.expect("AS")?;
        let query = self.query()?;
        let mut local_check = false;
        if self.eat("WITH") {
            local_check = self.eat_any(&["CASCADED", "LOCAL"]) == Some("LOCAL");
            self.expect_all(&["CHECK", "OPTION"])?;
        }
        Ok(Statement::CreateView(Box::new(CreateView {
            or_replace,
            algorithm,
            definer,
            invoker,
            name,
            columns,
            query,
            local_check,
        })))
    }

    fn user(&mut self) -> Result<User, ParseError> {
        if self.eat("CURRENT_USER") {
            if self.eat_sign("(") {
                self.expect_sign(")")?;
            }
            return Ok(User::Current);
        }
        let name = self.string_or_name()?;
        let host = match self.eat_sign("@") {
            true => self.string_or_name()?.to_lowercase(),
            false => "%".to_owned(),
        };
        Ok(User::Named { name, host })
    }

    pub(super) fn create_sequence(&mut self) -> Result<Statement, ParseError> {
        Ok(Statement::CreateSequence {
            if_not_exists: self.eat_if_not_exists(),
            name: self.table_name()?,
            options: self.sequence_options(false)?,
            table_options: self.table_options(true)?,
        })
    }

    pub(super) fn sequence_options(
        &mut self,
        alter: bool,
    ) -> Result<Vec<SequenceOption>, ParseError> {
        let mut options = Vec::new();
        while let Some(option) = self.sequence_option(alter)? {
            options.push(option);
        }
        match alter && options.is_empty() {
            true => Err(self.unexpected()),
            false => Ok(options),
        }
    }

    fn sequence_option(&mut self, alter: bool) -> Result<Option<SequenceOption>, ParseError> {
        if self.eat("INCREMENT") {
            if !self.eat("BY") {
                self.eat_equals();
            }
            return Ok(Some(SequenceOption::Increment(self.signed_number()?)));
        }
        if self.eat("START") {
            if !self.eat("WITH") {
                self.eat_equals();
            }
            return Ok(Some(SequenceOption::Start(self.signed_number()?)));
        }
        if alter && self.eat("RESTART") {
            if self.eat("WITH") || self.eat_sign("=") || !self.at_end() && self.is_number() {
                return Ok(Some(SequenceOption::RestartWith(self.signed_number()?)));
            }
            return Ok(Some(SequenceOption::Restart));
        }
        type Made = fn(i64) -> SequenceOption;
        const VALUES: [(&str, Made); 3] = [
            ("MINVALUE", SequenceOption::MinValue),
            ("MAXVALUE", SequenceOption::MaxValue),
            ("CACHE", SequenceOption::Cache),
        ];
        for (word, made) in VALUES {
            if self.eat(word) {
                self.eat_equals();
                return Ok(Some(made(self.signed_number()?)));
            }
        }
        const WORDS: [(&[&str], SequenceOption); 9] = [
            (&["NOMINVALUE"], SequenceOption::NoMinValue),
            (&["NO", "MINVALUE"], SequenceOption::NoMinValue),
            (&["NOMAXVALUE"], SequenceOption::NoMaxValue),
            (&["NO", "MAXVALUE"], SequenceOption::NoMaxValue),
            (&["NOCACHE"], SequenceOption::NoCache),
            (&["NO", "CACHE"], SequenceOption::NoCache),
            (&["NOCYCLE"], SequenceOption::NoCycle),
            (&["NO", "CYCLE"], SequenceOption::NoCycle),
            (&["CYCLE"], SequenceOption::Cycle),
        ];
        let found = WORDS.iter().find(|(words, _)| self.eat_all(words));
        Ok(found.map(|(_, option)| *option))
    }

    fn is_number(&self) -> bool {
        let sign = usize::from(self.is_sign_at(0, "-"));
        self.peek_at(sign)
            .is_some_and(|token| token.kind == crate::lexer::TokenKind::Integer)
    }

    pub(super) fn placement_options(&mut self) -> Result<Vec<PlacementOption>, ParseError> {
        let mut options = Vec::new();
        loop {
            if let Some(name) = self.eat_any(&["FOLLOWERS", "VOTERS", "LEARNERS"]) {
                self.eat_equals();
                options.push(PlacementOption::Number(name, self.number()?));
            } else if let Some(name) = self.eat_any(&[
                "PRIMARY_REGION",
                "REGIONS",
                "SCHEDULE",
                "CONSTRAINTS",
                "LEADER_CONSTRAINTS",
                "FOLLOWER_CONSTRAINTS",
                "VOTER_CONSTRAINTS",
                "LEARNER_CONSTRAINTS",
                "SURVIVAL_PREFERENCES",
            ]) {
                self.eat_equals();
                options.push(PlacementOption::Text(name, self.string()?));
            } else {
                break;
            }
            self.eat_sign(",");
        }
        debug_assert!(self.release() >= Release::V6_5);
        match options.is_empty() {
            true => Err(self.unexpected()),
            false => Ok(options),
        }
    }
}
