//! What MariaDB's `sql_mode` has and clients do not see.

/// Fractions of seconds that a type cannot tell are rounded, as TiDB does, and not cut.
const ROUNDS: &str = "TIME_ROUND_FRACTIONAL";

/// A client's `sql_mode` as MariaDB has it.
pub fn at_mariadb(mode: &str) -> String {
    match mode.trim_end_matches([',', ' ']) {
        "" => ROUNDS.to_owned(),
        given => format!("{given},{ROUNDS}"),
    }
}

/// What a client has given, of an expression that is MariaDB's `sql_mode`. MariaDB lists modes in an order of its own, in which
/// this one is the last.
pub fn of_client(expression: &str) -> String {
    format!("TRIM(TRAILING ',' FROM REPLACE({expression}, '{ROUNDS}', ''))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_rounded_in_all_modes() {
        assert_eq!(at_mariadb(""), "TIME_ROUND_FRACTIONAL");
        assert_eq!(
            at_mariadb("ANSI_QUOTES, "),
            "ANSI_QUOTES,TIME_ROUND_FRACTIONAL"
        );
    }
}
