"""What is read from Kafka and kept in Postgres: badges from milestones, the projection of codes and counts."""
