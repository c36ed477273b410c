"""What every repository of codes and counts must do; each repository's test module subclasses it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest

from models.events import CodeIssued
from models.identifiers import canonical_uuid
from sinks.counts_repository import Counts, CountsRepository, CountsTransaction, Owner
from sinks.errors import Fenced
from sinks.positions import Finding, Place, Start
from sinks.records import Record
from tests.milestones import MENTOR, ORG, OTHER_ORG, code_issued, counts, new_id

CODE = "ABCDEFGH12"
OTHER_CODE = "ABCDEFGH34"
TOPIC = "counts"
"""Whose records' places a repository keeps, in these tests."""

PLACE: Place = (TOPIC, 0)


class CountsRepositorySuite:
    """The tests; a subclass gives the fixtures `repository` and `another`, on the same tables, and the two methods."""

    def codes(self) -> dict[str, Owner]:
        """Return the codes that are kept, and whose they are."""
        raise NotImplementedError

    def confirmed(self) -> dict[Owner, int]:
        """Return the confirmed counts that are kept."""
        raise NotImplementedError

    # -- codes -------------------------------------------------------------------------------------------------

    def test_code_is_known_by_itself_and_by_its_mentor(self, repository: CountsRepository) -> None:
        """What is asked about codes is answered about their mentors too, and about nobody else."""
        other = new_id()
        with repository.transaction() as work:
            assert work.issued_codes([code_issued()]) == {}
            assert work.insert_codes([code_issued(), code_issued(OTHER_CODE, mentor_id=other)])
        with repository.transaction() as work:
            assert work.issued_codes([code_issued(mentor_id=new_id())]) == {CODE: (ORG, MENTOR)}
            assert work.issued_codes([code_issued("ABCDEFGH56")]) == {CODE: (ORG, MENTOR)}
            assert work.issued_codes([code_issued(), code_issued(OTHER_CODE)]) == {
                CODE: (ORG, MENTOR),
                OTHER_CODE: (ORG, other),
            }
            assert work.issued_codes([code_issued("ABCDEFGH56", org_id=OTHER_ORG)]) == {}
        assert self.codes() == {CODE: (ORG, MENTOR), OTHER_CODE: (ORG, other)}

    def test_one_form_of_codes_and_identifiers(self, repository: CountsRepository) -> None:
        """A code typed by hand, and identifiers in capitals, are the same as in the form that is kept."""
        with repository.transaction() as work:
            assert work.insert_codes([code_issued("abcd-efgh-12", org_id=ORG.upper(), mentor_id=MENTOR.upper())])
        assert self.codes() == {CODE: (ORG, MENTOR)}
        with repository.transaction() as work:
            assert work.issued_codes([code_issued("ABCDEFGH-12")]) == {CODE: (canonical_uuid(ORG), MENTOR)}

    @pytest.mark.parametrize(
        "second",
        [
            code_issued(),
            code_issued(mentor_id=new_id()),
            code_issued(OTHER_CODE),
            code_issued(org_id=OTHER_ORG, mentor_id=new_id()),
        ],
        ids=["the same", "another mentor's", "a second one of the mentor", "another organisation's"],
    )
    def test_codes_are_inserted_all_or_none(
        self, repository: CountsRepository, another: CountsRepository, second: CodeIssued
    ) -> None:
        """Where somebody was first with one of a batch none is kept, and the transaction goes on without them."""
        with another.transaction() as work:
            assert work.insert_codes([code_issued()])
        with repository.transaction() as work:
            assert not work.insert_codes([code_issued("ABCDEFGH56", mentor_id=new_id()), second])
            third = code_issued("ABCDEFGH78", mentor_id=new_id())
            assert work.insert_codes([third])
        assert self.codes() == {CODE: (ORG, MENTOR), "ABCDEFGH78": (ORG, third.mentor_id)}

    def test_a_batch_that_contradicts_itself_is_not_inserted(self, repository: CountsRepository) -> None:
        """The same code twice, or two of a mentor, in one batch: none is kept."""
        with repository.transaction() as work:
            assert not work.insert_codes([code_issued(), code_issued(mentor_id=new_id())])
            assert not work.insert_codes([code_issued(), code_issued(OTHER_CODE)])
        assert self.codes() == {}

    # -- counts ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("offset", "stands"), [(6, 1), (7, 1), (8, 2)])
    def test_in_a_partition_the_higher_offset_stands(
        self, repository: CountsRepository, offset: int, stands: int
    ) -> None:
        """A lower offset, or the same once more, changes nothing, whatever its time."""
        self._put(repository, 1, partition=0, offset=7, timestamp=2_000)
        self._put(repository, 2, partition=0, offset=offset, timestamp=1_000 if stands == 2 else 3_000)
        assert self.confirmed() == {(ORG, MENTOR): stands}

    @pytest.mark.parametrize(
        ("before", "belongs", "after", "timestamp", "stands"),
        [
            (0, 1, 1, 1_000, 2),
            (1, 1, 0, 3_000, 1),
            (0, 2, 1, 3_000, 2),
            (0, 2, 1, 1_000, 1),
        ],
        ids=["comes to where it belongs", "comes where it left", "neither, later", "neither, earlier"],
    )
    def test_of_two_partitions_the_one_where_the_key_belongs_stands(
        self, repository: CountsRepository, before: int, belongs: int, after: int, timestamp: int, stands: int
    ) -> None:
        """Partitions were added: where the mentor's key belongs now is newer; of two others, what was counted later."""
        self._put(repository, 1, partition=before, offset=7, timestamp=2_000, belongs=belongs)
        self._put(repository, 2, partition=after, offset=0, timestamp=timestamp, belongs=belongs)
        assert self.confirmed() == {(ORG, MENTOR): stands}

    def test_each_mentor_for_himself(self, repository: CountsRepository) -> None:
        """What is older of one is left, and what is newer of another is put, in the same batch."""
        other, same_elsewhere = (ORG, new_id()), (OTHER_ORG, MENTOR)
        self._put(repository, 1, partition=0, offset=7)
        self._put(repository, 1, partition=0, offset=3, owner=other)
        with repository.transaction() as work:
            work.put_counts(
                {
                    (ORG, MENTOR): _counts(2, partition=0, offset=6),
                    other: _counts(2, partition=0, offset=4, owner=other),
                    same_elsewhere: _counts(5, partition=0, offset=5, owner=same_elsewhere),
                }
            )
        assert self.confirmed() == {(ORG, MENTOR): 1, other: 2, same_elsewhere: 5}

    # -- transactions ------------------------------------------------------------------------------------------

    def test_failed_transaction_leaves_nothing(self, repository: CountsRepository) -> None:
        """Codes, counts and positions take effect together or not at all."""
        repository.positions.claim([PLACE])
        with suppress(ZeroDivisionError), repository.transaction() as work:
            _do_everything(work)
            raise ZeroDivisionError
        assert (self.codes(), self.confirmed()) == ({}, {})
        assert repository.positions.claim([PLACE]) == {}

    def test_trial_leaves_nothing(self, repository: CountsRepository) -> None:
        """A trial is undone at its end."""
        repository.positions.claim([PLACE])
        with repository.trial() as work:
            _do_everything(work)
        assert (self.codes(), self.confirmed()) == ({}, {})
        assert repository.positions.claim([PLACE]) == {}

    # -- positions ---------------------------------------------------------------------------------------------

    def test_position_moves_with_its_effect(self, repository: CountsRepository, another: CountsRepository) -> None:
        """What one has moved in its transactions the next one finds; until something is written it is not used."""
        assert repository.positions.claim([PLACE]) == {}
        assert not repository.positions.is_used()
        repository.positions.begin({PLACE: _start(next_offset=3)})
        with repository.transaction() as work:
            _do_everything(work)
        found = another.positions.claim([PLACE])
        assert (found[PLACE].next, found[PLACE].topic_id) == (9, "one")
        assert another.positions.is_used()

    @pytest.mark.parametrize("reached", [{PLACE: 9}, {PLACE: None}], ids=["moves", "holds"])
    def test_who_was_taken_over_can_write_nothing(
        self, repository: CountsRepository, another: CountsRepository, reached: Mapping[Place, int | None]
    ) -> None:
        """A partition that another has claimed meanwhile undoes the transaction, also where it is only held."""
        repository.positions.claim([PLACE])
        repository.positions.begin({PLACE: _start(next_offset=0)})
        another.positions.claim([PLACE])
        with pytest.raises(Fenced) as fenced, repository.transaction() as work:  # noqa: PT012 - it is what ends
            work.insert_codes([code_issued()])
            work.move(reached)
        assert fenced.value.places == {PLACE}
        assert self.codes() == {}
        with another.transaction() as work:
            work.move({PLACE: 1})
        assert repository.positions.claim([PLACE])[PLACE].next == 1

    def test_position_that_is_elsewhere_is_not_ours(self, repository: CountsRepository) -> None:
        """Moved by a transaction that was undone it is where it was, and who is there may go on."""
        repository.positions.claim([PLACE])
        repository.positions.begin({PLACE: _start(next_offset=4)})
        with suppress(ZeroDivisionError), repository.transaction() as work:
            work.move({PLACE: 6})
            raise ZeroDivisionError
        with repository.transaction() as work:
            work.move({PLACE: 5})
        assert repository.positions.claim([PLACE])[PLACE].next == 5

    @pytest.mark.parametrize(("forget_from", "stands"), [(0, 2), (7, 2), (8, 1), (None, 1)])
    def test_what_a_log_holds_no_more_is_older(
        self, repository: CountsRepository, forget_from: int | None, stands: int
    ) -> None:
        """From where a log holds others than the records that were read, whatever comes there is newer."""
        self._put(repository, 1, partition=0, offset=7)
        repository.positions.claim([PLACE])
        repository.positions.begin({PLACE: _start(next_offset=7, forget_from=forget_from)})
        self._put(repository, 2, partition=0, offset=7)
        assert self.confirmed() == {(ORG, MENTOR): stands}

    def test_another_log_is_not_concerned(self, repository: CountsRepository) -> None:
        """Another partition's rows, and those of the codes topic's namesake, stay as new as they were."""
        self._put(repository, 1, partition=0, offset=7)
        places: list[Place] = [(TOPIC, 1), ("codes", 0)]
        repository.positions.claim(places)
        repository.positions.begin({place: _start(next_offset=0, forget_from=0) for place in places})
        self._put(repository, 2, partition=0, offset=7)
        assert self.confirmed() == {(ORG, MENTOR): 1}

    def _put(
        self,
        repository: CountsRepository,
        confirmed: int,
        *,
        partition: int,
        offset: int,
        timestamp: int = 1_000,
        belongs: int = 0,
        owner: Owner = (ORG, MENTOR),
    ) -> None:
        put = _counts(confirmed, partition=partition, offset=offset, timestamp=timestamp, belongs=belongs, owner=owner)
        with repository.transaction() as work:
            work.put_counts({owner: put})


def _do_everything(work: CountsTransaction) -> None:
    """Do what the projection does with a batch of both topics."""
    assert work.insert_codes([code_issued()])
    work.put_counts({(ORG, MENTOR): _counts(1, partition=0, offset=8)})
    work.move({PLACE: 9})


def _counts(
    confirmed: int,
    *,
    partition: int,
    offset: int,
    timestamp: int = 1_000,
    belongs: int = 0,
    owner: Owner = (ORG, MENTOR),
) -> Counts:
    org_id, mentor_id = owner
    event = counts(confirmed, org_id=org_id, mentor_id=mentor_id)
    record = Record(topic=TOPIC, partition=partition, offset=offset, timestamp=timestamp, key=None, value=None)
    return Counts(record, event, belongs)


def _start(*, next_offset: int, forget_from: int | None = None) -> Start:
    return Start(next=next_offset, topic_id="one", partitions=1, finding=Finding.AS_EXPECTED, forget_from=forget_from)
