//! JSON: TiDB's binary form (`docs/spec/row-and-key-codecs.md §6`), text, and what they say.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::{Input, Unreadable, time};

const WHAT: &str = "JSON";
const OBJECT: u8 = 0x01;
const ARRAY: u8 = 0x03;
/// Bytes of the counts before the entries of an object or array.
const HEAD: usize = 8;
const KEY_ENTRY: usize = 6;
const VALUE_ENTRY: usize = 5;
/// Deeper values are damaged: TiDB takes no more than 100 levels.
const MAX_DEPTH: usize = 1000;

/// A JSON value. Members are sorted; numbers that are equal are not when they are of different kinds.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An integer.
    Int(i128),
    /// Another number.
    Double(f64),
    /// A string.
    Text(String),
    /// What no JSON text has: an opaque value or a time.
    Special(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

fn error(why: impl Into<String>) -> Unreadable {
    Unreadable::new(WHAT, why)
}

/// Takes a value in binary form off a row of version 1, where no length precedes it.
pub fn split<'a>(input: &mut Input<'a>) -> Result<&'a [u8], Unreadable> {
    let mut ahead = *input;
    let body = match ahead.byte()? {
        OBJECT | ARRAY => {
            ahead.take(4)?;
            u32::from_le_bytes(ahead.array()?) as usize
        }
        0x04 => 1,
        0x09..=0x0b | 0x0e..=0x10 => 8,
        0x0c => with_length(&mut ahead, 0)?,
        0x0d => with_length(&mut ahead, 1)?,
        0x11 => 12,
        other => return Err(error(format!("type {other:#04x}"))),
    };
    input.take(body + 1)
}

/// Bytes of `before`, of a length that follows, and of what it is the length of.
fn with_length(input: &mut Input<'_>, before: usize) -> Result<usize, Unreadable> {
    input.take(before)?;
    let all = input.rest().len();
    let len = input.uvarint()? as usize;
    Ok(before + all - input.rest().len() + len)
}

/// Reads the binary form, type first.
pub fn from_binary(bytes: &[u8]) -> Result<Json, Unreadable> {
    let (kind, body) = bytes.split_first().ok_or_else(|| error("no bytes"))?;
    value(*kind, body, 0)
}

fn value(kind: u8, body: &[u8], depth: usize) -> Result<Json, Unreadable> {
    let mut input = Input::new(WHAT, body);
    if depth > MAX_DEPTH {
        return Err(error("too deep"));
    }
    Ok(match kind {
        OBJECT | ARRAY => return tree(kind, body, depth),
        0x04 => match input.byte()? {
            0 => Json::Null,
            1 => Json::Bool(true),
            2 => Json::Bool(false),
            other => return Err(error(format!("literal {other}"))),
        },
        0x09 => Json::Int(i64::from_le_bytes(input.array()?).into()),
        0x0a => Json::Int(u64::from_le_bytes(input.array()?).into()),
        0x0b => Json::Double(f64::from_le_bytes(input.array()?)),
        0x0c => {
            let len = input.uvarint()? as usize;
            Json::Text(utf8(input.take(len)?)?)
        }
        0x0d => {
            let kind = input.byte()?;
            let len = input.uvarint()? as usize;
            Json::Special(format!("type {kind} {}", hex::encode(input.take(len)?)))
        }
        0x0e..=0x10 => Json::Special(calendar(u64::from_le_bytes(input.array()?))),
        0x11 => Json::Special(time::duration(i64::from_le_bytes(input.array()?), 6)),
        other => return Err(error(format!("type {other:#04x}"))),
    })
}

fn calendar(bits: u64) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        bits >> 50,
        bits >> 46 & 0xf,
        bits >> 41 & 0x1f,
        bits >> 36 & 0x1f,
        bits >> 30 & 0x3f,
        bits >> 24 & 0x3f,
        bits >> 4 & 0xf_ffff
    )
}

fn tree(kind: u8, body: &[u8], depth: usize) -> Result<Json, Unreadable> {
    let mut input = Input::new(WHAT, body);
    let count = u32::from_le_bytes(input.array()?) as usize;
    let size = u32::from_le_bytes(input.array()?) as usize;
    let body = body
        .get(..size)
        .ok_or_else(|| error(format!("{size} bytes expected, {} there", body.len())))?;
    let keys = if kind == OBJECT { count } else { 0 };
    let values = HEAD + keys * KEY_ENTRY;
    let at = |offset: usize| {
        body.get(offset..)
            .ok_or_else(|| error(format!("an offset of {offset} in {size} bytes")))
    };
    let member = |n: usize| {
        let mut entry = Input::new(WHAT, at(values + n * VALUE_ENTRY)?);
        let kind = entry.byte()?;
        if kind == 0x04 {
            return value(kind, entry.rest(), depth + 1);
        }
        let offset = u32::from_le_bytes(entry.array()?) as usize;
        value(kind, at(offset)?, depth + 1)
    };
    if kind == ARRAY {
        return Ok(Json::Array(
            (0..count).map(member).collect::<Result<_, _>>()?,
        ));
    }
    let mut out = BTreeMap::new();
    for n in 0..count {
        let mut entry = Input::new(WHAT, at(HEAD + n * KEY_ENTRY)?);
        let offset = u32::from_le_bytes(entry.array()?) as usize;
        let len = usize::from(u16::from_le_bytes(entry.array()?));
        let key = utf8(Input::new(WHAT, at(offset)?).take(len)?)?;
        if out.insert(key.clone(), member(n)?).is_some() {
            return Err(error(format!("two members {key:?}")));
        }
    }
    Ok(Json::Object(out))
}

fn utf8(bytes: &[u8]) -> Result<String, Unreadable> {
    String::from_utf8(bytes.to_vec()).map_err(|e| error(e.to_string()))
}

/// Reads a text. Integers beyond `max_int` are doubles, of members with one name the last one counts.
pub fn from_text(text: &str, max_int: u64) -> Result<Json, Unreadable> {
    let failed = |e: serde_json::Error| error(e.to_string());
    let text = text.trim();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(text).map_err(failed)?;
            let members = members
                .into_iter()
                .map(|(key, raw)| Ok((key, from_text(raw.get(), max_int)?)));
            Json::Object(members.collect::<Result<_, Unreadable>>()?)
        }
        Some(b'[') => {
            let values: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(failed)?;
            let values = values.iter().map(|raw| from_text(raw.get(), max_int));
            Json::Array(values.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text).map_err(failed)?),
        Some(b'n') => serde_json::from_str(text)
            .map(|()| Json::Null)
            .map_err(failed)?,
        Some(b't' | b'f') => serde_json::from_str(text).map(Json::Bool).map_err(failed)?,
        _ => match text.parse::<i128>() {
            Ok(n) if n >= i64::MIN.into() && n <= max_int.into() => Json::Int(n),
            // The nearest double; serde_json's own may be the next to it.
            _ => Json::Double(text.parse().map_err(|e| error(format!("{text:?}: {e}")))?),
        },
    })
}

impl fmt::Display for Json {
    /// Tells values apart; close to TiDB's text, but not meant to be it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            // Zero has one sign.
            Self::Double(value) => write!(f, "{:?}", value + 0.0),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Special(text) => write!(f, "<{text}>"),
            Self::Array(values) => {
                f.write_str("[")?;
                for (n, value) in values.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (n, (key, value)) in members.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}{key:?}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
