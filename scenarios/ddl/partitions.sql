-- Partitions come, go and are divided anew: rows are told under the table's name whatever partition they are in, one that
-- moves is a delete and an insert, and what a reorganisation writes again is not told.
-- @covers canal-json §7, §10
-- @truth spec canal-json §7
-- @profile current

create table r (id int primary key, v int) partition by range (id) (partition p0 values less than (10), partition p1 values less than (20), partition pm values less than maxvalue);
insert into r values (1, 1), (15, 15), (100, 100);
update r set id = 16 where id = 1;
update r set v = 5 where id = 15;
delete from r where id = 100;
alter table r drop partition pm;
alter table r add partition (partition p2 values less than (30), partition p3 values less than (40));
insert into r values (25, 1), (35, 2);
-- @error 1526
insert into r values (40, 4);
alter table r truncate partition p0;
alter table r reorganize partition p2, p3 into (partition p23 values less than (40));
update r set v = v + 1;
create table x (id int primary key, v int);
alter table r exchange partition p0 with table x;
insert into x values (1000, 1);
insert into r values (3, 3);
alter table r remove partitioning;
update r set v = 14 where id = 3;
alter table r partition by hash (id) partitions 3;
update r set v = 15 where id = 3;
create table h (id int, u varchar(10), v int, primary key (id, u)) partition by key (u) partitions 4;
insert into h values (1, 'a', 1), (2, 'b', 2);
update h set u = 'c' where id = 1;
alter table h add partition partitions 2;
alter table h coalesce partition 1;
update h set v = 9;
create table l (id int, k varchar(10)) partition by list columns (k) (partition pa values in ('a', 'b'), partition pn values in (null), partition pd default);
insert into l values (1, 'a'), (2, null), (3, 'other');
create table rc (a int, b date, primary key (a, b)) partition by range columns (b, a) (partition p0 values less than ('2024-01-01', 5), partition p1 values less than (maxvalue, maxvalue));
insert into rc values (1, '2023-01-01'), (9, '2025-01-01');
rename table rc to rc2;
update rc2 set b = '2023-12-31' where a = 9;
truncate table rc2;
insert into rc2 values (2, '2024-01-01');

-- @query
select * from r partition (p0) order by id;
-- @query
select * from h partition (p1);
-- @messages
