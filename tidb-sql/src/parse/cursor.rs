//! Walks over tokens and remembers what it looked for, to say so in an error.

use crate::lexer::{self, Token, TokenKind};
use crate::stack::on_enough_stack;
use crate::{ParseError, ParseOptions, Place, Release};

use super::end_of;

/// How deeply the descent goes: about two levels for a parenthesis.
const MAX_DEPTH: usize = 1000;
/// How high a tree may grow, also by operators in a row: dropping it takes a little of the stack for each level.
const MAX_HEIGHT: usize = 4000;
/// Error messages list no more than this many alternatives.
const MAX_EXPECTED: usize = 12;

pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) options: ParseOptions,
    tokens: Vec<Token<'a>>,
    at: usize,
    expected: Vec<&'static str>,
    depth: usize,
    /// No tree that was read at this depth is higher.
    height: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, options: &ParseOptions) -> Result<Self, ParseError> {
        let mut tokens = lexer::tokens_of(text, options.mode, options.release)?;
        tokens.retain(|token| !token.kind.is_trivia());
        Ok(Self {
            text,
            options: *options,
            tokens,
            at: 0,
            expected: Vec::new(),
            depth: 0,
            height: 0,
        })
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.peek_at(0)
    }

    /// The token `n` places ahead.
    pub(super) fn peek_at(&self, n: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + n).copied()
    }

    pub(super) fn before(&self) -> Option<Token<'a>> {
        self.at
            .checked_sub(1)
            .and_then(|n| self.tokens.get(n))
            .copied()
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
        self.expected.clear();
    }

    /// Where the cursor stands, to come back to.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn reset(&mut self, mark: usize) {
        self.at = mark;
        self.expected.clear();
    }

    pub(super) fn release(&self) -> Release {
        self.options.release
    }

    fn note(&mut self, what: &'static str) {
        if !self.expected.contains(&what) {
            self.expected.push(what);
        }
    }

    /// Whether the next token is this keyword. A word next to a point is a name.
    pub(super) fn is(&mut self, word: &'static str) -> bool {
        if self.is_word_at(0, word) {
            return true;
        }
        self.note(word);
        false
    }

    /// Whether the token `n` places ahead is this keyword; not noted for errors.
    pub(super) fn is_word_at(&self, n: usize, word: &str) -> bool {
        self.peek_at(n).is_some_and(|token| token.is_word(word))
    }

    pub(super) fn is_sign(&mut self, sign: &'static str) -> bool {
        if self.is_sign_at(0, sign) {
            return true;
        }
        self.note(sign);
        false
    }

    pub(super) fn is_sign_at(&self, n: usize, sign: &str) -> bool {
        self.peek_at(n).is_some_and(|token| token.is_sign(sign))
    }

    pub(super) fn is_kind(&self, kind: TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == kind)
    }

    pub(super) fn eat(&mut self, word: &'static str) -> bool {
        let is = self.is(word);
        if is {
            self.advance();
        }
        is
    }

    /// The same for a keyword that older releases do not know.
    pub(super) fn eat_since(&mut self, release: Release, word: &'static str) -> bool {
        self.options.release >= release && self.eat(word)
    }

    /// All words in order, or none.
    pub(super) fn eat_all(&mut self, words: &[&'static str]) -> bool {
        let Some((first, rest)) = words.split_first() else {
            return true;
        };
        if !self.is(first)
            || !rest
                .iter()
                .enumerate()
                .all(|(n, w)| self.is_word_at(n + 1, w))
        {
            return false;
        }
        words.iter().for_each(|_| self.advance());
        true
    }

    /// The first of the words that is next.
    pub(super) fn eat_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.eat(word))
    }

    pub(super) fn eat_sign(&mut self, sign: &'static str) -> bool {
        let is = self.is_sign(sign);
        if is {
            self.advance();
        }
        is
    }

    pub(super) fn expect(&mut self, word: &'static str) -> Result<(), ParseError> {
        if self.eat(word) {
            return Ok(());
        }
        Err(self.unexpected())
    }

    pub(super) fn expect_all(&mut self, words: &[&'static str]) -> Result<(), ParseError> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    pub(super) fn expect_any(
        &mut self,
        words: &[&'static str],
    ) -> Result<&'static str, ParseError> {
        self.eat_any(words).ok_or_else(|| self.unexpected())
    }

    pub(super) fn expect_sign(&mut self, sign: &'static str) -> Result<(), ParseError> {
        if self.eat_sign(sign) {
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// `[=]`.
    pub(super) fn eat_equals(&mut self) {
        self.eat_sign("=");
    }

    /// `( a, b )`.
    pub(super) fn parenthesised<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        self.expect_sign("(")?;
        let items = self.list(item)?;
        self.expect_sign(")")?;
        Ok(items)
    }

    /// `a, b`.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = vec![item(self)?];
        while self.eat_sign(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// The place of the next token.
    pub(super) fn place(&self) -> Place {
        match self.peek() {
            Some(token) => Place::new(self.text, token.start, token.end()),
            None => end_of(self.text),
        }
    }

    fn found(&self) -> String {
        match self.peek() {
            Some(token) => format!("{:?}", token.text.chars().take(40).collect::<String>()),
            None => "the end of the text".to_owned(),
        }
    }

    /// The error about the next token: it is none of those that were looked for.
    pub(super) fn unexpected(&self) -> ParseError {
        let mut expected: Vec<&str> = self.expected.iter().copied().take(MAX_EXPECTED).collect();
        if self.expected.len() > MAX_EXPECTED {
            expected.push("…");
        }
        let expected = match expected.as_slice() {
            [] => "the end of the statement".to_owned(),
            [one] => (*one).to_owned(),
            several => format!("one of {}", several.join(" ")),
        };
        ParseError::Syntax {
            at: self.place(),
            expected,
            found: self.found(),
        }
    }

    /// The same, where something was looked for that is no keyword.
    pub(super) fn missing(&mut self, what: &'static str) -> ParseError {
        self.note(what);
        self.unexpected()
    }

    /// The next token is no such value.
    pub(super) fn bad_value(&self, what: &'static str) -> ParseError {
        ParseError::Value {
            at: self.place(),
            what,
            found: self.found(),
        }
    }

    /// Goes a level down.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep(MAX_DEPTH));
        }
        let beside = std::mem::take(&mut self.height);
        self.depth += 1;
        let result = on_enough_stack(|| inside(self));
        self.depth -= 1;
        self.height = beside.max(self.height);
        self.higher()?;
        result
    }

    /// Puts a node on top of what was read at this depth.
    pub(super) fn higher(&mut self) -> Result<(), ParseError> {
        self.height += 1;
        match self.height <= MAX_HEIGHT {
            true => Ok(()),
            false => Err(self.too_deep(MAX_HEIGHT)),
        }
    }

    fn too_deep(&self, limit: usize) -> ParseError {
        ParseError::TooDeep {
            at: self.place(),
            limit,
        }
    }
}
