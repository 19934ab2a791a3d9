"""Everyday pairs in plain words, written by hand (CC0): what rules know, and near it.

The pairs of the written lives are paraphrases and allusions.  A store holds plain
sentences too, and there two that begin alike may well be at odds.
"""

from __future__ import annotations

from collections.abc import Iterable

from psm_core.train.corpus import Pair, Relation

SPEAKER = "Ada"
"""Who says all of this."""


def everyday() -> list[Pair]:
    """All pairs below, old and new, in the words of one speaker.

    >>> sorted({pair.relation for pair in everyday()})
    ['compatible', 'contradiction', 'duplicate', 'hedge', 'update']
    """
    return [pair for relation, text in _WRITTEN for pair in _pairs(relation, text)]


def _pairs(relation: Relation, text: str) -> Iterable[Pair]:
    for line in text.strip().splitlines():
        old, new = line.split(" | ")
        yield Pair(SPEAKER, old.strip(), new.strip(), relation, None)


_UPDATES = """
I live in Utrecht. | I moved to Ghent in April.
I live in Utrecht. | I live in Ghent now.
We live in Malmö with two kids. | We've moved to Lund, into a house with a garden.
My sister lives in Porto. | My sister moved to Braga last month.
I work at the post office. | I work at the bakery now.
I work for a bank. | I left the bank, I'm with an insurer since May.
I'm a taxi driver. | I gave up the taxi and I repair bikes.
I'm a student. | I graduated in June and I started at a law firm.
I'm single. | I'm seeing somebody, her name is Ines.
I'm engaged to Tom. | Tom and I got married on Saturday.
I'm married. | My divorce came through in March.
My brother is engaged. | My brother called off the wedding.
I smoke half a packet a day. | I haven't smoked since New Year.
I drink three coffees a day. | One coffee a day, the doctor's orders.
I'm a vegetarian. | I eat meat again since the summer.
I eat everything. | I've been vegan since January.
I drive to work. | I sold the car and take the tram to work.
I cycle to work. | I take the bus to work these days.
I run on Mondays. | I run on Wednesdays now.
The choir meets on Tuesdays. | The choir meets on Thursdays now.
My daughter comes on Sundays. | My daughter comes on Saturdays, she works on Sundays.
My flight is on the 4th. | My flight was moved to the 9th.
The wedding is in May. | The wedding has been put off until September.
The meeting is at three. | The meeting is at five instead.
My rent is 900 euros. | My rent went up to 1,050 euros.
I pay 40 a month for the gym. | The gym costs 55 a month now.
I weigh 90 kilos. | I'm down to 82 kilos.
I have two cats. | I have three cats now, the new one is called Plum.
We have one child. | Our second was born on Friday.
I have no pets. | I got a puppy from the shelter.
My dog is called Rex and sleeps in my bed. | Rex died in his sleep on Monday.
I play the violin in an orchestra. | I left the orchestra and sold the violin.
I'm learning Spanish. | I dropped Spanish and started Italian.
I can't swim. | I can swim, I took lessons all winter.
I don't have a driving licence. | I passed my driving test!
My boss is called Karen. | My new boss is called Dev, Karen retired.
I share a flat with Mia. | Mia moved out, I live alone now.
I live alone. | My mother moved in with me.
My son is at school. | My son started university in October.
My knee hurts and I can't run. | My knee is healed and I run again.
I'm on antibiotics until Friday. | I'm done with the antibiotics.
I'm looking for a job. | I signed the contract, I start on the 1st.
I'm pregnant. | She's born, three kilos and a lot of hair.
My favourite team is in the first division. | My team went down to the second division.
We're saving for a house. | We bought the house.
My car is a red Fiat. | I drive a blue Seat now, the Fiat went for scrap.
My hair is long. | I cut my hair off, it's short as a boy's.
I go to yoga every week. | I quit yoga, my back is fine.
Paul does the shopping. | Nina does the shopping now.
The cat sleeps on my bed. | The cat sleeps in the kitchen since she snores.
I keep the keys under the mat. | The keys hang in the hall now.
Lena is my lawyer. | My new lawyer is called Boris.
I take my holidays in August. | I take my holidays in June these days.
I work nights. | I'm on days now, six to two.
My mother is in hospital. | My mother is home again.
I have a loan of ten thousand. | The loan is paid off.
I can't eat nuts. | The test came back clear, I may eat nuts.
My grandfather is 91. | My grandfather turned 92 on Sunday.
I speak no French. | My French is good enough for the market now.
"""

_CONTRADICTIONS = """
I have one brother. | I have three brothers.
I'm an only child. | My sister is two years older than me.
I was born in Leeds. | I was born in York.
I grew up by the sea. | I grew up in the mountains.
My birthday is on the 3rd of May. | My birthday is on the 13th of May.
I've never been abroad. | I was in Spain when I was twelve.
I've never broken a bone. | I broke my arm at school.
I learned to drive at eighteen. | I learned to drive at thirty.
I studied physics. | I studied law.
I love the sea. | I hate the sea.
I like my coffee black. | I like my coffee with milk.
I can't stand cats. | I adore cats.
I'm allergic to penicillin. | I'm not allergic to anything.
I'm allergic to nuts. | I eat nuts every day.
I don't eat meat. | I had a steak on Friday, I have one every Friday.
I don't drink. | I drink a beer every evening.
I never watch television. | I watch television every evening.
I always get up at six. | I never get up before nine.
My favourite colour is green. | My favourite colour is yellow.
My favourite season is winter. | I've always liked summer best.
My eyes are blue. | My eyes are brown.
I'm left-handed. | I'm right-handed.
My father was a baker. | My father was a teacher.
My mother is from Ireland. | My mother is from Poland.
We met at work. | We met at a wedding.
We got married in 1998. | We got married in 2001.
The house has three bedrooms. | The house has five bedrooms.
The house was built in 1920. | The house was built in 1965.
I paid 300 for the bike. | I paid 500 for the bike.
I bought the sofa new. | I got the sofa second-hand.
The car was a present. | I paid for the car myself.
The party was on Friday. | The party was on Saturday.
We lost the match. | We won the match.
I passed the exam at the first try. | I failed the exam twice.
The operation was on my left knee. | The operation was on my right knee.
Nobody came to the party. | Thirty people came to the party.
I went alone. | I went with my brother.
I live on the second floor. | I live on the fifth floor.
My dog is three. | My dog is seven.
My dog is afraid of water. | My dog jumps into every lake.
I sleep like a stone. | I haven't slept through a night in years.
I can't cook. | I cook a three-course dinner every night.
I don't speak German. | German is my mother tongue.
I have no tattoos. | I have a tattoo on my shoulder.
I've never smoked. | I smoked for ten years.
I've read all her books. | I've never read a book of hers.
I'm afraid of flying. | I love flying.
I hate mornings. | I'm a morning person.
My grandmother died before I was born. | My grandmother taught me to knit.
The train leaves at seven. | The train leaves at half past eight.
It takes me ten minutes to get to work. | I need an hour to get to work.
The appointment is on the 4th. | I told you the 4th, it's the 14th.
The ring was my grandmother's. | I bought the ring at a flea market.
I was the youngest in my class. | I was the oldest in my class.
My uncle has two sons. | My uncle has no children.
I take sugar in my tea. | I take my tea without sugar.
We have a garden. | We don't have a garden.
I own the flat. | I rent the flat.
"""

_DUPLICATES = """
I live in Utrecht. | My home is in Utrecht.
I moved to Ghent in April. | In April I moved to Ghent.
I work as a nurse. | I'm a nurse by trade.
I have two brothers. | There are two brothers of mine.
I'm allergic to nuts. | Nuts give me an allergic reaction.
I don't eat meat. | I'm a vegetarian.
I love hiking. | Hiking is what I love.
I hate Mondays. | I can't stand Mondays.
I get up at six. | My alarm goes at six every day.
My daughter is called Mia. | Mia is my daughter's name.
I have a dog called Rex. | My dog's name is Rex.
My birthday is on the 3rd of May. | I was born on May 3rd.
We got married in 1998. | Our wedding was in 1998.
I pay 900 euros of rent. | My rent is nine hundred euros.
I play the piano. | I'm a piano player.
I take the train to work. | I go to work by train.
I broke my leg skiing. | I had a skiing accident and broke a leg.
I can't drive. | I have no driving licence.
I speak three languages. | There are three languages that I speak.
My favourite colour is green. | I like green best of all colours.
I'm afraid of spiders. | Spiders scare me.
I've never been to Rome. | I haven't been to Rome yet.
My mother is a teacher. | Mum teaches at a school.
I quit smoking in March. | I stopped smoking in March.
The choir meets on Tuesdays. | Tuesday is choir night.
I drink my coffee black. | No milk in my coffee.
I have a house by the lake. | My house stands at the lake.
My son is seven. | My boy is seven years old.
I run every morning. | Every morning I go for a run.
I like jazz. | I'm fond of jazz.
"""

_COMPATIBLE = """
I like tea. | I like tea and lemonade.
I like tea and milk. | I like tea.
I like dogs. | I like dogs and horses.
I love Italian food. | I love Thai food.
I eat fish. | I eat fish and rice.
I moved to Utrecht. | I flew to Utrecht.
I live in Utrecht. | I went to Ghent for the weekend.
I live in Utrecht. | I grew up in Ghent.
I live in Utrecht. | My sister lives in Ghent.
I live in Utrecht. | I work in Amersfoort.
I moved to Ghent in 2015. | I moved the piano to the hall.
I went to Madrid in March. | I went to Vienna in October.
I went to Madrid with Tom. | I went to Vienna alone.
I flew to Oslo on Monday. | I flew to Bergen on Friday.
I ran a marathon in May. | I ran a half marathon in August.
I saw a film on Friday. | I saw a play on Saturday.
I had soup for lunch today. | I had a salad for lunch yesterday.
I had pasta for lunch. | I had fish for dinner.
I bought a lamp. | I bought a chair.
I bought a coat for my son. | I bought a hat for my daughter.
I lost my keys in May. | I lost my phone in June.
I broke my arm in 1990. | I broke my leg in 2005.
I read a novel about Spain. | I read a novel about Peru.
I took the train to Lyon. | I took the bus to Nice.
I ran the half marathon in Cardiff in 2019. | I ran the half marathon in Leeds in 2021.
I climbed Snowdon in 2018. | I climbed Ben Nevis in 2020.
We spent Christmas in Vienna in 2020. | We spent Christmas in Graz in 2021.
I saw the band in Cologne in 2017. | I saw the band in Munich in 2019.
I swam the lake race in 2021. | I swam the harbour race in 2022.
My team won the cup in Porto in 2022. | My team won the cup in Braga in 2023.
I gave a talk in Oslo in May. | I gave a talk in Bergen in June.
I took a cooking course in 2018. | I took a pottery course in 2019.
I cycled the Ghent tour in 2020. | I cycled the Bruges tour in 2021.
I walked the Rhine trail in 2016. | I walked the Elbe trail in 2018.
The first exam went well. | The second exam went badly.
My left eye was done in May. | My right eye was done in July.
We won on Saturday. | We lost on Wednesday.
I cooked for six on Friday. | I cooked for two on Monday.
I paid 20 for the book. | I paid 30 for the shoes.
I have a brother in Leeds. | I have a sister in York.
I have two sisters. | I have a brother.
I have two cats. | I have a dog.
My brother is a lawyer. | My sister is a vet.
My mother is 70. | My father is 72.
My daughter plays chess. | My son plays football.
Tom is allergic to nuts. | Mia is allergic to cats.
I don't eat pork. | I eat beef.
I don't drink beer. | I drink wine.
I don't like the beach. | I like the lake.
I like my boss. | I don't like my commute.
I drink coffee. | I don't drink coffee after six.
I eat meat. | I didn't eat meat today.
I run on Mondays. | I swim on Thursdays.
I run every morning. | I didn't run this morning.
I work at a bank. | I worked at a bakery as a student.
I'm a nurse. | I was a waitress in my twenties.
I'm a nurse. | I work nights in the hospital.
I speak Dutch. | I speak French.
I can swim. | I can't dive.
I'm vegan. | My husband eats everything.
I have a red bike. | I have a green car.
My kitchen is white. | My bathroom is blue.
The house has two floors. | The house has a cellar.
The kitchen is on the ground floor. | The bedrooms are on the first floor.
My dog is three. | My dog is called Rex.
My dog is afraid of thunder. | My dog is afraid of the hoover.
I get up at six. | I go to bed at ten.
On Sundays I sleep till nine. | On weekdays I get up at six.
I take sugar in my tea. | I take milk in my coffee.
I love summer. | I love the smell of rain.
I used to hate olives. | I eat olives every day.
I was shy as a child. | I speak before hundreds of people.
I have a meeting at three. | I have a call at five.
The dentist is on Monday. | The hairdresser is on Tuesday.
My rent is 900 euros. | My phone bill is 30 euros.
We got married in 1998. | We went to Crete in 1999.
My sister got married. | I'm single.
I'm reading a book about bees. | I finished a book about wolves.
I want a dog. | I don't have a dog.
I baked bread on Saturday. | I baked a cake on Sunday.
The train was late on Monday. | The train was on time on Friday.
I grow tomatoes. | I grow beans and peas.
I bought a house. | I painted the house green.
I started a course in pottery. | I finished a course in first aid.
"""

_HEDGES = """
I live in Utrecht. | I might move to Ghent next year.
I live in Utrecht. | I'd love to live by the sea one day.
I work at a bank. | I'm thinking of leaving the bank.
I work at a bank. | I had an interview at an insurer.
I smoke. | I should stop smoking.
I eat meat. | Maybe I'll go vegan in January.
I have two cats. | We're looking at a third cat, only looking.
I'm single. | There might be somebody, we'll see.
I drive a red Fiat. | If the Fiat breaks again I'll buy a Seat.
I rent a flat. | Perhaps we could buy a house some day.
I'm a teacher. | I wonder whether I should become a baker.
We live in a flat. | My wife keeps saying we need a house.
The wedding is in May. | Should we put the wedding off?
I play the violin. | I'm toying with the cello.
I don't have a dog. | The kids want a dog, I'm not sure.
I cycle to work. | I may take the bus when it rains.
I have long hair. | I dream of cutting it all off.
I study law. | I'm considering physics instead.
My mother lives alone. | We've talked about mum moving in with us.
I have no tattoos. | One of these days I'll get a tattoo.
I go to yoga. | I suppose I could try boxing.
I don't speak Greek. | I'd like to learn Greek.
I have one child. | We would like a second child.
"""

_WRITTEN: tuple[tuple[Relation, str], ...] = (
    ("update", _UPDATES),
    ("contradiction", _CONTRADICTIONS),
    ("duplicate", _DUPLICATES),
    ("compatible", _COMPATIBLE),
    ("hedge", _HEDGES),
)
