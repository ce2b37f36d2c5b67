-- An integer primary key: the row key itself.
-- @covers canal-json §6
-- @truth recorded keys

create table k_int (id int primary key, v int);
insert into k_int values (-1, 1), (0, 2), (2147483647, 3);

-- @messages
-- @flink-table k_int
