//! A client of PD's etcd.
