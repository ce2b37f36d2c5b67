-- A changed primary key is a delete and an insert.
-- @covers canal-json §9
-- @truth recorded dml

create table p (id int primary key, v int, w varchar(10));
insert into p values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
update p set v = v where id = 1;
update p set v = 1 where id = 1;
update p set v = 10, w = 'a' where id = 1;
update p set id = 11 where id = 1;
update p set id = id + 100 order by id desc;
begin;
update p set id = 1 where id = 102;
update p set id = 102 where id = 103;
commit;

-- @messages
-- @flink-table p
