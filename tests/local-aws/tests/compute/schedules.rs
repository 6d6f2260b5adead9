//! Schedules fire on the world's clock, whatever its speed.
use std::time::Duration;

use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use local_aws::Options;

use crate::{ACCOUNT, Airline, NAME, REGION, code, config};

fn starts(airline: &Airline) -> usize {
    airline.aws.function_logs(NAME).iter().filter(|line| line.text.starts_with("START")).count()
}

fn target(function: &str) -> Target {
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}");
    Target::builder().arn(arn).role_arn("arn:aws:iam::111111111111:role/scheduler").input("{}").build().unwrap()
}

fn window() -> FlexibleTimeWindow {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_a_fast_world_is_a_second() {
    let airline = Airline::with_function(Options { time_scale: 60.0, ..Options::default() }).await;
    let scheduler = aws_sdk_scheduler::Client::new(&config(&airline.aws, ACCOUNT));
    let create = scheduler.create_schedule().name("tick").schedule_expression("rate(1 minute)");
    create.flexible_time_window(window()).target(target("flights:live")).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(starts(&airline), 5);
    scheduler.delete_schedule().name("tick").send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(starts(&airline), 5);
    assert_eq!(code(scheduler.get_schedule().name("tick").send().await), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_schedule_waits_until_it_is_enabled() {
    let airline = Airline::with_function(Options::default()).await;
    let scheduler = aws_sdk_scheduler::Client::new(&config(&airline.aws, ACCOUNT));
    let create = scheduler.create_schedule().name("tick").schedule_expression("cron(* * * * ? *)");
    let create = create.flexible_time_window(window()).target(target("flights:live")).state(ScheduleState::Disabled);
    create.send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(starts(&airline), 0);
    let update = scheduler.update_schedule().name("tick").schedule_expression("cron(* * * * ? *)");
    update.flexible_time_window(window()).target(target("flights:live")).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(starts(&airline), 3);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_finds_its_function_later_as_well() {
    let airline = Airline::new(Options::default()).await;
    let scheduler = aws_sdk_scheduler::Client::new(&config(&airline.aws, ACCOUNT));
    let create = scheduler.create_schedule().name("tick").schedule_expression("rate(10 minutes)");
    create.flexible_time_window(window()).target(target("flights")).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    airline.create(&airline.push("v1").await).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(starts(&airline), 1);
}
