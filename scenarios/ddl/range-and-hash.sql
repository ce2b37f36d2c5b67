-- Partitions that both generations know: by RANGE, where they are added, emptied and dropped, and by HASH of a date's year.
-- @covers canal-json §7, §10
-- @truth spec canal-json §7

create table r (id int primary key, v int) partition by range (id) (partition p0 values less than (10), partition p1 values less than (20), partition pm values less than maxvalue);
insert into r values (1, 1), (15, 15), (100, 100);
update r set id = 16 where id = 1;
update r set v = 5 where id = 15;
delete from r where id = 100;
alter table r truncate partition p0;
alter table r drop partition pm;
alter table r add partition (partition p2 values less than (30), partition p3 values less than (40));
insert into r values (2, 2), (25, 1), (35, 2);
-- @error 1526
insert into r values (40, 4);
update r set v = v + 1;
create table h (id int, d date, v int, primary key (id, d)) partition by hash (year(d)) partitions 3;
insert into h values (1, '2023-05-05', 1), (2, '2024-05-05', 2), (3, '1999-12-31', 3);
update h set d = '2025-01-01' where id = 2;
create table s like h;
insert into s select * from h;
rename table h to h2;
truncate table h2;
insert into h2 values (4, '2024-02-29', 4);
drop table r;

-- @query
select * from s order by id;
-- @messages
