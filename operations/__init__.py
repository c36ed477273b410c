"""What an operator does to a running programme: topics made and checked, lag measured, badges explained."""
