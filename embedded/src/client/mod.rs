//! A small client of PD and TiKV, as the SQL front needs it.
