-- Bytes: BINARY, VARBINARY and BLOB, and NULL.
-- @covers canal-json §3
-- @truth recorded types-string

create table b (id int primary key, b binary(8), vb varbinary(20), bl blob, tb tinyblob, mb mediumblob, lb longblob);
insert into b values (1, '', '', '', '', '', ''), (2, 'ab', 0x00ff10, 0xdeadbeef, 0x80, 'text', 0x0a0d09), (3, null, null, null, null, null, null), (4, x'ffffffffffffffff', x'c3a9', x'e4bda0', x'7f', x'00', x'22');
insert into b (id, vb) values (5, unhex('000102030405060708090a0b0c0d0e0f10111213')), (6, unhex('808182838485868788898a8b8c8d8e8f90919293')), (7, unhex('a0a1a2fffefd'));
update b set bl = concat(bl, 0x01) where id = 2;
-- @query
select id, hex(b), hex(vb), hex(bl) from b;
delete from b where id = 4;

-- @messages
