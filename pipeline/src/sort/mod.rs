//! Puts committed rows of many table spans into commit order.
