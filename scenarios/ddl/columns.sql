-- Columns come and go: each row is told with the columns of its moment, and rows that were there before with the defaults
-- of what was added.
-- @covers canal-json §8, §10
-- @truth spec canal-json §8

create table a (id int primary key, v int);
insert into a values (1, 10), (2, 20);
alter table a add column c1 int default 7;
insert into a (id, v) values (3, 30);
alter table a add column c2 varchar(10) not null default 'dflt' after v;
alter table a add column c3 int first;
update a set v = 11 where id = 1;
delete from a where id = 2;
alter table a drop column c1;
update a set v = 31 where id = 3;
alter table a drop column c2;
insert into a (id, v, c3) values (4, 40, 4);
-- @messages
