-- What the server refuses reaches nobody.
-- @covers state §3
-- @truth spec state §3

create table t (id int primary key, v varchar(3) not null);
insert into t values (1, 'abc');
-- @error 1062
insert into t values (1, 'dup');
-- @error 1406
insert into t values (2, 'abcd');
-- @error 1048
insert into t values (2, null);
-- @error 1054
insert into t (id, nothing) values (2, 'x');
-- @error 1146
insert into missing values (1);
-- @error 1050
create table t (id int);
-- @error 1051
drop table missing;
-- @error 1064
create tabel u (id int);
-- @query
select * from t;
-- @messages
