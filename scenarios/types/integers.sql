-- Integers, signed and unsigned, at their limits and NULL.
-- @covers canal-json §3
-- @truth recorded types-int

create table i (id int primary key, t tinyint, tu tinyint unsigned, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned, n int, nu int unsigned, b bigint, bu bigint unsigned, bo bool, z int(5) zerofill, tz tinyint(3) unsigned zerofill, w bigint(10));
insert into i values (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, false, 0, 0, 0);
insert into i values (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, true, 99999, 255, 1234567890);
insert into i (id) values (3);
insert into i values (4, -1, 128, -1, 32768, -1, 8388608, -1, 2147483648, -1, 9223372036854775808, 2, 42, 7, -42);
update i set t = 1, bu = 9223372036854775807 where id = 2;
update i set t = null, z = null where id = 1;
-- @error 1264
insert into i (id, t) values (5, 128);
-- @error 1264
insert into i (id, tu) values (5, -1);
-- @error 1264
insert into i (id, bu) values (5, 18446744073709551616);
set sql_mode = '';
insert into i (id, t, tu, n) values (5, 1000, -1, '12abc');
delete from i where id > 1;

-- @messages
