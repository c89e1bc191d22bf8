"""A call stops a card within a second; what nobody signs for ends at its own hour, and nothing ends twice."""
