//! Requests and answers over real TDS with tiberius.

#[path = "wire/stand_in.rs"]
mod stand_in;

use std::borrow::Cow;

use axon_emulator::{SqlType, Value, WireConfig};
use stand_in::TestServer;
use tiberius::error::Error;
use tiberius::numeric::Numeric;
use tiberius::{Query, ToSql, Uuid};
use time::macros::{date, datetime, offset, time};

async fn server() -> TestServer {
    TestServer::start(WireConfig::default()).await
}

#[tokio::test]
async fn twenty_thousand_rows_cross_many_packets() {
    let server = server().await;
    for packet_size in [512, 4096, 32_767] {
        let mut config = server.tiberius();
        config.packet_size(packet_size);
        let mut client = server.connect(config).await.unwrap();
        let rows = client.simple_query("rows 20000").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 20_000);
        assert_eq!(rows[19_999].get::<&str, _>("t"), Some("row 19999"));
    }
}

#[tokio::test]
async fn a_request_of_many_packets_arrives_whole() {
    let server = server().await;
    let mut client = server.client().await;
    let sql = "x".repeat(300_000);
    let row = client.simple_query(sql).await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i64, _>(0), Some(300_000));
}

#[tokio::test]
async fn a_request_beyond_the_limit_ends_the_connection() {
    let server = TestServer::start(WireConfig { max_message: 10_000, ..WireConfig::default() }).await;
    let mut client = server.client().await;
    assert!(client.simple_query("x".repeat(4_000)).await.is_ok());
    let mut client = server.client().await;
    let result = match client.simple_query("x".repeat(400_000)).await {
        Ok(stream) => stream.into_results().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(result.is_err());
}

#[tokio::test]
async fn several_results_come_apart() {
    let server = server().await;
    let mut client = server.client().await;
    let results = client.simple_query("two results").await.unwrap().into_results().await.unwrap();
    let with_rows: Vec<_> = results.iter().filter(|rows| !rows.is_empty()).collect();
    assert_eq!(with_rows.len(), 2);
    assert_eq!(with_rows[0][0].get::<i32, _>("a"), Some(1));
    assert_eq!(with_rows[1][0].get::<bool, _>("b"), Some(true));
}

#[tokio::test]
async fn counts_of_changed_rows_come_back() {
    let server = server().await;
    let mut client = server.client().await;
    assert_eq!(client.execute("changed 7", &[]).await.unwrap().total(), 7);
    assert_eq!(client.execute("changed nothing", &[]).await.unwrap().total(), 0);
}

#[tokio::test]
async fn an_error_has_its_number_line_and_class_and_the_connection_goes_on() {
    let server = server().await;
    let mut client = server.client().await;
    let by_rpc = client.execute("fail 15151", &[]).await.map(|_| ());
    let by_batch = match client.simple_query("fail 15151").await {
        Ok(stream) => stream.into_results().await.map(|_| ()),
        Err(error) => Err(error),
    };
    for result in [by_rpc, by_batch] {
        match result {
            Err(Error::Server(error)) => {
                assert_eq!((error.code(), error.class(), error.line()), (15_151, 16, 7));
                assert_eq!((error.message(), error.server()), ("told to fail", "axon-emulator"));
            }
            other => panic!("{other:?}"),
        }
    }
    let row = client.simple_query("one").await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(1));
}

#[tokio::test]
async fn every_type_that_tiberius_sends_comes_back_the_same() {
    let server = server().await;
    let mut client = server.client().await;
    let guid = Uuid::parse_str("6f9619ff-8b86-d011-b42d-00c04fc964ff").unwrap();
    let long_text = "ł".repeat(5000);
    let bytes = vec![7_u8; 9000];
    let moment = datetime!(2024-05-01 10:20:30.1234567);

    let mut query = Query::new("echo");
    query.bind(1_u8);
    query.bind(-2_i16);
    query.bind(i32::MIN);
    query.bind(i64::MAX);
    query.bind(true);
    query.bind(1.5_f32);
    query.bind(-1e300_f64);
    query.bind("short 😀");
    query.bind(long_text.as_str());
    query.bind(guid);
    query.bind(bytes.as_slice());
    query.bind(moment.to_sql());
    let (day, clock, instant) =
        (date!(2024 - 02 - 29), time!(23:59:59.5), moment.assume_offset(offset!(UTC)));
    query.bind(day.to_sql());
    query.bind(clock.to_sql());
    query.bind(instant.to_sql());
    query.bind(Numeric::new_with_scale(-123_456, 2));
    query.bind(Option::<&str>::None);
    query.bind(Option::<i32>::None);
    let row = query.query(&mut client).await.unwrap().into_row().await.unwrap().unwrap();

    assert_eq!(row.get::<u8, _>(0), Some(1));
    assert_eq!(row.get::<i16, _>(1), Some(-2));
    assert_eq!(row.get::<i32, _>(2), Some(i32::MIN));
    assert_eq!(row.get::<i64, _>(3), Some(i64::MAX));
    assert_eq!(row.get::<bool, _>(4), Some(true));
    assert_eq!(row.get::<f32, _>(5), Some(1.5));
    assert_eq!(row.get::<f64, _>(6), Some(-1e300));
    assert_eq!(row.get::<&str, _>(7), Some("short 😀"));
    assert_eq!(row.get::<&str, _>(8), Some(long_text.as_str()));
    assert_eq!(row.get::<Uuid, _>(9), Some(guid));
    assert_eq!(row.get::<&[u8], _>(10), Some(bytes.as_slice()));
    assert_eq!(row.get::<time::PrimitiveDateTime, _>(11), Some(moment));
    assert_eq!(row.get::<time::Date, _>(12), Some(day));
    assert_eq!(row.get::<time::Time, _>(13), Some(clock));
    assert_eq!(row.get::<time::OffsetDateTime, _>(14), Some(instant));
    assert_eq!(row.get::<Numeric, _>(15).map(|n| n.to_string()), Some("-1234.56".into()));
    assert_eq!(row.get::<&str, _>(16), None);
    assert_eq!(row.get::<i32, _>(17), None);
}

#[tokio::test]
async fn parameters_reach_the_engine_by_name_type_and_value() {
    let server = server().await;
    let mut client = server.client().await;
    client.execute("changed 1", &[&5_i32, &"text"]).await.unwrap();
    let calls = server.seen.calls.lock().unwrap();
    let (sql, params) = calls.last().unwrap();
    // The stand-in passes the text on as a batch, which it also notes.
    assert_eq!(sql, "changed 1");
    assert!(params.is_empty());
    let (_, params) = &calls[calls.len() - 2];
    assert_eq!(
        (params[0].name.as_str(), params[0].ty, &params[0].value),
        ("@P1", SqlType::Int, &Value::Int(5))
    );
    assert_eq!((params[1].name.as_str(), &params[1].value), ("@P2", &Value::Text("text".into())));
}

#[tokio::test]
async fn named_procedures_are_called_with_their_parameters() {
    let server = server().await;
    let mut client = server.client().await;
    let mut command = tiberius::Command::new("sp_addrolemember");
    command.bind_param("@rolename", "readers");
    command.bind_param("@membername", Cow::Borrowed("ana"));
    let result = command.exec(&mut client).await.unwrap().into_command_result().await.unwrap();
    assert_eq!(result.return_code(), 3);
    let calls = server.seen.calls.lock().unwrap();
    let (procedure, params) = calls.last().unwrap();
    assert_eq!(procedure, "sp_addrolemember");
    assert_eq!(params[1].value, Value::Text("ana".into()));
}

#[tokio::test]
async fn a_prepared_statement_is_kept_run_and_forgotten() {
    let server = server().await;
    let mut client = server.client().await;
    let mut prepare = tiberius::Command::new("sp_prepare");
    prepare.bind_out_param("@handle", 0_i32);
    prepare.bind_param("@params", "@a int");
    prepare.bind_param("@stmt", "echo");
    let prepared = prepare.exec(&mut client).await.unwrap().into_command_result().await.unwrap();
    let handle = prepared.try_return_value::<i32>("@handle").unwrap().unwrap();

    let mut execute = tiberius::Command::new("sp_execute");
    execute.bind_param("@handle", handle);
    execute.bind_param("@a", "41");
    execute.exec(&mut client).await.unwrap().into_command_result().await.unwrap();
    {
        let calls = server.seen.calls.lock().unwrap();
        assert_eq!(calls.last().unwrap().1[0].value, Value::Int(41));
    }

    for expected in [None, Some(8179)] {
        let mut unprepare = tiberius::Command::new("sp_unprepare");
        unprepare.bind_param("@handle", handle);
        let result = match unprepare.exec(&mut client).await {
            Ok(stream) => stream.into_command_result().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert_eq!(result.err().and_then(|error| error.code()), expected);
    }
}

#[tokio::test]
async fn transactions_are_announced_and_ended() {
    let server = server().await;
    let mut client = server.client().await;
    for sql in ["BEGIN TRAN", "one", "COMMIT TRAN", "BEGIN TRAN", "ROLLBACK TRAN", "one"] {
        client.simple_query(sql).await.unwrap().into_results().await.unwrap();
    }
    assert_eq!(server.seen.calls.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn messages_and_database_changes_pass_without_harm() {
    let server = server().await;
    let mut client = server.client().await;
    for sql in ["info", "move", "one"] {
        client.simple_query(sql).await.unwrap().into_results().await.unwrap();
    }
}
