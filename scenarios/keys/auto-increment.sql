-- Values that TiDB makes itself.
-- @covers canal-json §1
-- @truth recorded keys

create table k_ai (id bigint primary key auto_increment, v int);
insert into k_ai (v) values (1), (2);
insert into k_ai values (100, 3);
insert into k_ai (v) values (4);

-- @messages
