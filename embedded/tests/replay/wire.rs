//! Messages by field name: JSON as the recordings have it, to protobuf and back.
//!
//! Bytes are hex; those over 4,096 bytes are a digest (`golden/tikv-feed/README.md`, Format). Default values are left out.

use std::collections::HashMap;

use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Longer bytes are written as a digest.
const DIGEST_ABOVE: usize = 4096;

/// All messages, enums and methods of the wire contracts.
pub(crate) struct Schema {
    messages: HashMap<String, Vec<Field>>,
    enums: HashMap<String, Vec<(String, i32)>>,
    /// Input and output by path (`/package.Service/Method`).
    methods: HashMap<String, (String, String)>,
}

struct Field {
    name: String,
    number: u32,
    kind: Kind,
    repeated: bool,
}

enum Kind {
    Message(String),
    Enum(String),
    Bytes,
    Text,
    Bool,
    Signed,
    Unsigned,
}

impl Schema {
    pub(crate) fn load() -> Self {
        let set = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
        let mut schema = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
            methods: HashMap::new(),
        };
        for file in &set.file {
            let package = format!(".{}", file.package());
            for message in &file.message_type {
                schema.take(&package, message);
            }
            for kind in &file.enum_type {
                let values = kind.value.iter().map(|v| (v.name().to_owned(), v.number()));
                let name = format!("{package}.{}", kind.name());
                schema.enums.insert(name, values.collect());
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let types = (
                        method.input_type().to_owned(),
                        method.output_type().to_owned(),
                    );
                    schema.methods.insert(path, types);
                }
            }
        }
        schema
    }

    fn take(&mut self, parent: &str, message: &DescriptorProto) {
        let name = format!("{parent}.{}", message.name());
        for nested in &message.nested_type {
            self.take(&name, nested);
        }
        for kind in &message.enum_type {
            let values = kind.value.iter().map(|v| (v.name().to_owned(), v.number()));
            self.enums
                .insert(format!("{name}.{}", kind.name()), values.collect());
        }
        let fields = message.field.iter().map(|field| Field {
            name: field.name().to_owned(),
            number: u32::try_from(field.number()).unwrap(),
            kind: match field.r#type() {
                Type::Message => Kind::Message(field.type_name().to_owned()),
                Type::Enum => Kind::Enum(field.type_name().to_owned()),
                Type::Bytes => Kind::Bytes,
                Type::String => Kind::Text,
                Type::Bool => Kind::Bool,
                Type::Int32 | Type::Int64 => Kind::Signed,
                Type::Uint32 | Type::Uint64 => Kind::Unsigned,
                other => panic!("{name}.{}: a field of type {other:?}", field.name()),
            },
            repeated: field.label() == Label::Repeated,
        });
        let fields = fields.collect();
        self.messages.insert(name, fields);
    }

    /// The input and output types of a method.
    pub(crate) fn method(&self, path: &str) -> Option<(&str, &str)> {
        self.methods
            .get(path)
            .map(|(input, output)| (input.as_str(), output.as_str()))
    }

    /// Encodes a message; fails for a field with a value that our contracts do not have.
    pub(crate) fn encode(&self, message: &str, value: &Value) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let fields = &self.messages[message];
        for (name, value) in value.as_object().ok_or("expected an object")? {
            match fields.iter().find(|field| field.name == *name) {
                Some(field) => self.encode_field(field, value, &mut out)?,
                None if is_default(value) => {}
                None => return Err(format!("{message} has no field {name} (value {value})")),
            }
        }
        Ok(out)
    }

    fn encode_field(&self, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
        if let (true, Value::Array(items)) = (field.repeated, value) {
            return items
                .iter()
                .try_for_each(|item| self.encode_one(field, item, out));
        }
        // Messages have presence: an empty one says something.
        if is_default(value) && !matches!(field.kind, Kind::Message(_)) {
            return Ok(());
        }
        self.encode_one(field, value, out)
    }

    fn encode_one(&self, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
        let odd = || format!("{}: unexpected {value}", field.name);
        let mut bytes = |bytes: &[u8]| {
            encode_key(field.number, WireType::LengthDelimited, out);
            encode_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        };
        let number = match &field.kind {
            Kind::Message(name) => {
                let inner = self.encode(name, value)?;
                bytes(&inner);
                return Ok(());
            }
            Kind::Bytes => {
                bytes(&unhex(value).ok_or_else(odd)?);
                return Ok(());
            }
            Kind::Text => {
                bytes(value.as_str().ok_or_else(odd)?.as_bytes());
                return Ok(());
            }
            Kind::Enum(name) => {
                let text = value.as_str().ok_or_else(odd)?;
                let found = self.enums[name].iter().find(|(name, _)| name == text);
                i64::from(found.ok_or_else(odd)?.1).cast_unsigned()
            }
            Kind::Bool => u64::from(value.as_bool().ok_or_else(odd)?),
            Kind::Signed => value.as_i64().ok_or_else(odd)?.cast_unsigned(),
            Kind::Unsigned => value.as_u64().ok_or_else(odd)?,
        };
        if number != 0 || field.repeated {
            encode_key(field.number, WireType::Varint, out);
            encode_varint(number, out);
        }
        Ok(())
    }

    /// A message as it would be read back: without default values.
    pub(crate) fn canonical(&self, message: &str, value: &Value) -> Result<Value, String> {
        let fields = &self.messages[message];
        let mut out = Map::new();
        for (name, value) in value.as_object().ok_or("expected an object")? {
            let Some(field) = fields.iter().find(|field| field.name == *name) else {
                if is_default(value) {
                    continue;
                }
                return Err(format!("{message} has no field {name} (value {value})"));
            };
            let value = match (&field.kind, value) {
                (Kind::Message(kind), Value::Array(items)) => {
                    let items = items.iter().map(|item| self.canonical(kind, item));
                    Value::Array(items.collect::<Result<_, _>>()?)
                }
                (Kind::Message(kind), value) => {
                    out.insert(name.clone(), self.canonical(kind, value)?);
                    continue;
                }
                (Kind::Enum(kind), Value::String(text)) => {
                    let zero = self.enums[kind].iter().any(|(n, v)| *v == 0 && n == text);
                    if zero {
                        continue;
                    }
                    value.clone()
                }
                (_, value) => value.clone(),
            };
            if !is_default(&value) {
                out.insert(name.clone(), value);
            }
        }
        Ok(Value::Object(out))
    }

    /// Decodes a message; fields that our contracts do not have are an error.
    pub(crate) fn decode(&self, message: &str, mut bytes: &[u8]) -> Result<Value, String> {
        let fields = &self.messages[message];
        let mut out = Map::new();
        while !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes).map_err(|e| e.to_string())?;
            let field = fields
                .iter()
                .find(|field| field.number == number)
                .ok_or_else(|| format!("{message} has no field {number}"))?;
            let mut values = Vec::new();
            match wire {
                WireType::Varint => {
                    let n = decode_varint(&mut bytes).map_err(|e| e.to_string())?;
                    values.push(self.scalar(field, n));
                }
                WireType::LengthDelimited => {
                    let len = decode_varint(&mut bytes).map_err(|e| e.to_string())?;
                    let len = usize::try_from(len).map_err(|e| e.to_string())?;
                    let (mut inner, rest) = bytes.split_at_checked(len).ok_or("cut short")?;
                    bytes = rest;
                    match &field.kind {
                        Kind::Message(name) => values.push(self.decode(name, inner)?),
                        Kind::Bytes => values.push(hex_value(inner)),
                        Kind::Text => values.push(json!(String::from_utf8_lossy(inner))),
                        // Packed.
                        _ => {
                            while !inner.is_empty() {
                                let n = decode_varint(&mut inner).map_err(|e| e.to_string())?;
                                values.push(self.scalar(field, n));
                            }
                        }
                    }
                }
                other => return Err(format!("{message}.{}: wire type {other:?}", field.name)),
            }
            for value in values {
                if field.repeated {
                    let list = out.entry(field.name.clone()).or_insert_with(|| json!([]));
                    if let Value::Array(list) = list {
                        list.push(value);
                    }
                } else {
                    out.insert(field.name.clone(), value);
                }
            }
        }
        Ok(Value::Object(out))
    }

    fn scalar(&self, field: &Field, n: u64) -> Value {
        match &field.kind {
            Kind::Enum(name) => {
                let known = self.enums[name]
                    .iter()
                    .find(|(_, value)| i64::from(*value) == n.cast_signed());
                known.map_or(json!(n), |(name, _)| json!(name))
            }
            Kind::Bool => json!(n != 0),
            Kind::Signed => json!(n.cast_signed()),
            _ => json!(n),
        }
    }
}

/// Whether proto3 leaves a value out. Enum values that stand for 0 have many names: the comparison knows them.
pub(crate) fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Bytes as the recordings write them.
pub(crate) fn hex_value(bytes: &[u8]) -> Value {
    if bytes.len() <= DIGEST_ABOVE {
        return json!(hex::encode(bytes));
    }
    json!({
        "$bytes_len": bytes.len(),
        "$sha256": hex::encode(Sha256::digest(bytes)),
        "$head": hex::encode(&bytes[..32]),
        "$tail": hex::encode(&bytes[bytes.len() - 8..]),
    })
}

fn unhex(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => hex::decode(text).ok(),
        Value::Object(digest) => written_out(digest),
        _ => None,
    }
}

/// The bytes behind a digest. The recorded values of that size are rows whose third column repeats 0 to 250, or one byte.
fn written_out(digest: &Map<String, Value>) -> Option<Vec<u8>> {
    let len = usize::try_from(digest.get("$bytes_len")?.as_u64()?).ok()?;
    let head = hex::decode(digest.get("$head")?.as_str()?).ok()?;
    let tail = hex::decode(digest.get("$tail")?.as_str()?).ok()?;
    let last = usize::from(*tail.last()?);
    let counting = |from: usize| {
        (from..len).map(move |at| {
            let back = (len - 1 - at) % 251;
            u8::try_from((last + 251 - back) % 251).unwrap_or(0)
        })
    };
    let mut named = head.clone();
    // A head that ends within the second column, which is "big".
    if named.ends_with(b"b") {
        named.extend_from_slice(b"ig");
    }
    let repeated = [
        named
            .clone()
            .into_iter()
            .chain(counting(named.len()))
            .collect(),
        head.iter()
            .copied()
            .chain(std::iter::repeat_n(tail[0], len - head.len()))
            .collect(),
    ];
    let wanted = digest.get("$sha256")?.as_str()?;
    repeated
        .into_iter()
        .find(|bytes: &Vec<u8>| hex::encode(Sha256::digest(bytes)) == wanted)
}
