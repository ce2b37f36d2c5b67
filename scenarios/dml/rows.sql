-- Inserted, updated and deleted rows: each kind of message, an update that changes nothing, and what Flink makes of them.
-- @covers canal-json §1, §4, §5
-- @truth spec canal-json §1

create table p (id int primary key, v int, w varchar(10));
insert into p values (1, 1, 'a'), (2, 2, 'b'), (3, null, null);
update p set v = v where id = 1;
update p set v = 10, w = 'x' where id = 1;
update p set v = null where id = 2;
delete from p where id = 3;
replace into p values (2, 22, 'replaced'), (4, 4, 'new');

-- @query
select * from p order by id;
-- @messages
-- @flink-table p
-- @flink-changelog p
