//! Messages made comparable: `ts` is 0, `mysqlType` has the order of `sqlType` (TiCDC's is random), what is random or of the run
//! in a stored message's place is not there, and a backspace or form feed has Go's spelling from before 1.22, in which v4.0.9 was released (the recorded one was built anew).

/// The message with what may differ made equal, everything else byte by byte.
pub(crate) fn canonical(message: &str) -> String {
    let message = old_controls(message.trim_end_matches("\r\n"));
    order_mysql_type(&claim(&zero_ts(&message)))
}

/// The name of a stored message is random, and the folder that of the run.
fn claim(message: &str) -> String {
    const MEMBER: &str = "\"claimCheckLocation\":\"file://";
    const NAME: usize = "/00000000-0000-0000-0000-000000000000.json".len();
    let Some(start) = message.find(MEMBER).map(|at| at + MEMBER.len()) else {
        return message.to_owned();
    };
    let Some(end) = message[start..].find('"').map(|at| start + at) else {
        return message.to_owned();
    };
    let name = &message[end.saturating_sub(NAME)..end];
    let shape: String = name
        .chars()
        .map(|c| if c.is_ascii_hexdigit() { '0' } else { c })
        .collect();
    format!("{}/claim{shape}{}", &message[..start], &message[end..])
}

fn old_controls(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut characters = message.chars();
    while let Some(character) = characters.next() {
        text.push(character);
        if character == '\\' {
            match characters.next() {
                Some('b') => text.push_str("u0008"),
                Some('f') => text.push_str("u000c"),
                other => text.extend(other),
            }
        }
    }
    text
}

fn zero_ts(message: &str) -> String {
    const MEMBER: &str = "\"ts\":";
    let Some(at) = message.find(MEMBER).map(|at| at + MEMBER.len()) else {
        return message.to_owned();
    };
    let digits = message[at..].bytes().take_while(u8::is_ascii_digit).count();
    format!("{}0{}", &message[..at], &message[at + digits..])
}

fn order_mysql_type(message: &str) -> String {
    let (Some(sql), Some(mysql)) = (
        object(message, "\"sqlType\":{"),
        object(message, "\"mysqlType\":{"),
    ) else {
        return message.to_owned();
    };
    let order: Vec<&str> = members(&message[sql])
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let mut types = members(&message[mysql.clone()]);
    types.sort_by_key(|(key, _)| order.iter().position(|name| name == key));
    let types: Vec<String> = types
        .into_iter()
        .map(|(key, value)| format!("{key}:{value}"))
        .collect();
    format!(
        "{}{}{}",
        &message[..mysql.start],
        types.join(","),
        &message[mysql.end..]
    )
}

/// The range inside the braces of the object that `lead` opens.
fn object(message: &str, lead: &str) -> Option<std::ops::Range<usize>> {
    let start = message.find(lead)? + lead.len();
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in message[start..].bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'}' if !in_string => return Some(start..start + at),
            _ => {}
        }
    }
    None
}

/// The members of a flat object's inside.
fn members(text: &str) -> Vec<(&str, &str)> {
    let (mut members, mut from, mut colon) = (Vec::new(), 0, None);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in text.bytes().chain([b',']).enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string && colon.is_none() => colon = Some(at),
            b',' if !in_string => {
                if let Some(colon) = colon.take() {
                    members.push((&text[from..colon], &text[colon + 1..at]));
                }
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

#[test]
fn only_ts_and_the_order_of_types_are_free() {
    let message = r#"{"es":5,"ts":1795470694740,"sqlType":{"a":4,"b}":12},"mysqlType":{"b}":"x,y","a":"enum('}')"},"old":null}"#;
    let same = r#"{"es":5,"ts":0,"sqlType":{"a":4,"b}":12},"mysqlType":{"a":"enum('}')","b}":"x,y"},"old":null}"#;
    assert_eq!(canonical(message), same);
    assert_ne!(canonical(&message.replace("\"es\":5", "\"es\":6")), same);
}
