"""The stages as Airflow tasks: an operator a stage. Each logs its stage's report and hands its result on by XCom."""
