-- The article's table and rows: what comes out of Kafka, and what Flink shows.
-- @database test
-- @topic ticdc-test
-- @truth recorded article
-- @covers canal-json §1

create table t1(id int primary key);
insert into t1 values(1);
-- @messages
-- @flink-table t1

insert into test.t1 values(4);
-- @messages
-- @flink-table t1
-- @flink-changelog t1
