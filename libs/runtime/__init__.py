"""What every process of the city needs around its services, from the database to the command line."""
