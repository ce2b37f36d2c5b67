//! An embedded TiDB cluster (PD, TiKV, TiDB) for machines without the real one.
