-- Two databases in one changefeed: rows and statements of both, and a database that is dropped.
-- @covers canal-json §10
-- @truth spec canal-json §10
-- @database cdc_first cdc_second

create table cdc_first.t (id int primary key);
create database cdc_second;
create table cdc_second.t (id int primary key, v int);
begin;
insert into cdc_first.t values (1);
insert into cdc_second.t values (1, 2);
commit;
-- @messages

drop database cdc_second;
-- @messages
