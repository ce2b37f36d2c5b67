//! `verify`.

use clap::Args;

use super::{Failure, Json, Name};
use crate::lab::{Kind, Lab};

/// Exit code of `embedded verify` when it found faults.
const FAULTS: i32 = 1;

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    lab: Name,
    #[command(flatten)]
    json: Json,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let lab = Lab::attach(&self.lab.name)?;
        let pd = lab.topology().url(Kind::Pd, "client")?;
        let socket = lab.paths().data(Kind::Tidb).join("mariadb.sock");
        let program = lab.program(Kind::Tidb)?;
        let status = std::process::Command::new(program)
            .args(["verify", "--pd", &pd, "--mariadb"])
            .arg(socket)
            .args(self.json.json.then_some("--json"))
            .status()
            .map_err(|error| Failure::broke(format!("run {}: {error}", program.display())))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(FAULTS) => Err(Failure {
                message: "find TiKV and MariaDB equal".to_owned(),
                code: 1,
            }),
            _ => Err(Failure::broke("compare TiKV with MariaDB, see above")),
        }
    }
}
